-- SPDX-License-Identifier: Apache-2.0
-- Views for DuckDB over what `flowproof export` or a delivery wrote, text in the default fields: docs/queries.md.
--     SET VARIABLE dir = '/srv/flowlogs';      the folder that holds AWSLogs/
CREATE OR REPLACE MACRO flow_logs(pattern) AS TABLE
  SELECT * FROM read_csv(pattern, delim = ' ', header = true, auto_detect = false, nullstr = '-', columns = {
    'version': 'INTEGER', 'account_id': 'VARCHAR', 'interface_id': 'VARCHAR', 'srcaddr': 'VARCHAR', 'dstaddr': 'VARCHAR', 'srcport': 'INTEGER',
    'dstport': 'INTEGER', 'protocol': 'INTEGER', 'packets': 'BIGINT', 'bytes': 'BIGINT', 'start': 'BIGINT', 'end': 'BIGINT', 'action': 'VARCHAR',
    'log_status': 'VARCHAR'});
CREATE OR REPLACE VIEW flows AS FROM flow_logs(getvariable('dir') || '/AWSLogs/**/*_vpcflowlogs_*.log.gz');
CREATE OR REPLACE VIEW complement AS FROM flow_logs(getvariable('dir') || '/AWSLogs/**/*_flowproofcomplement_*.log.gz');
CREATE OR REPLACE VIEW dns AS FROM read_json(getvariable('dir') || '/AWSLogs/**/*_flowproofdns_*.log.gz', format = 'newline_delimited', columns = {
    'query_timestamp': 'TIMESTAMP', 'query_name': 'VARCHAR', 'query_type': 'VARCHAR', 'rcode': 'VARCHAR', 'answers': 'JSON', 'srcaddr': 'VARCHAR',
    'srcport': 'VARCHAR', 'transport': 'VARCHAR'});
