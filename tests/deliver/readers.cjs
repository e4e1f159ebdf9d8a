// SPDX-License-Identifier: Apache-2.0
// node readers.cjs duckdb SQL | hyparquet FILE | arrow-rs FILE   Rows as JSON, a list of texts each (null for NULL); before them the columns' names.
"use strict";
const fs = require("fs");

const text = (v) => (v === null || v === undefined ? null : String(v));
function print(names, rows) {
  const lines = [JSON.stringify(names)];
  for (const row of rows) lines.push(JSON.stringify(row.map(text)));
  fs.writeSync(1, ""); // opens it blocking
  let out = Buffer.from(lines.join("\n") + "\n"), at = 0;
  while (at < out.length) at += fs.writeSync(1, out, at);
}

async function duckdb(sql) {
  const { DuckDBInstance } = require("@duckdb/node-api");
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const result = await connection.runAndReadAll(sql);
  print(result.columnNames(), result.getRows());
}

async function hyparquet(path) {
  const { parquetReadObjects, parquetMetadataAsync, asyncBufferFromFile } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const names = metadata.schema.slice(1).map((e) => e.name);
  const rows = await parquetReadObjects({ file, metadata, compressors });
  print(names, rows.map((row) => names.map((n) => row[n])));
}

function arrowRs(path) {
  const { readParquet } = require("parquet-wasm/node");
  const { tableFromIPC } = require("apache-arrow");
  const table = tableFromIPC(readParquet(new Uint8Array(fs.readFileSync(path))).intoIPCStream());
  const names = table.schema.fields.map((f) => f.name), rows = [];
  for (const row of table) rows.push(names.map((n) => row[n]));
  print(names, rows);
}

const [reader, what] = process.argv.slice(2);
Promise.resolve({ duckdb, hyparquet, "arrow-rs": arrowRs }[reader](what)).catch((e) => {
  process.stderr.write(String((e && e.stack) || e) + "\n");
  process.exit(1);
});
