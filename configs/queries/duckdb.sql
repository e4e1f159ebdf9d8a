-- SPDX-License-Identifier: Apache-2.0
-- Queries for DuckDB over the views of duckdb-tables.sql.

-- name: destinations
-- Who was sent to, most bytes first.
SELECT dstaddr, dstport, protocol, sum(packets) AS packets, sum(bytes) AS bytes, min(start) AS first, max("end") AS last
FROM flows WHERE action = 'ACCEPT' GROUP BY ALL ORDER BY bytes DESC, dstaddr, dstport, protocol;

-- name: everything
-- All traffic, with what Flow Logs never record.
SELECT 'flow' AS kind, * FROM flows UNION ALL SELECT 'complement', * FROM complement ORDER BY start, "end", srcaddr, dstaddr, srcport, dstport;

-- name: volume
-- Packets and bytes by five minutes and interface.
SELECT "end" // 300 * 300 AS slot, interface_id, count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes
FROM flows WHERE log_status = 'OK' GROUP BY ALL ORDER BY slot, interface_id;

-- name: gaps
-- Windows of which something is missing, or in which nothing was seen.
SELECT log_status, interface_id, start, "end" FROM flows WHERE log_status <> 'OK' ORDER BY start, interface_id, log_status;

-- name: questions
-- Names that were asked for, and how that ended.
SELECT query_name, query_type, rcode, count(*) AS times, min(query_timestamp) AS first FROM dns GROUP BY ALL ORDER BY times DESC, query_name, rcode;
