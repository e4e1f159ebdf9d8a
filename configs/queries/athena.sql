-- SPDX-License-Identifier: Apache-2.0
-- Queries for Amazon Athena over athena-tables.sql; run one statement at a time. Set the days.

-- name: everything
-- All traffic of the interfaces: AWS's Flow Logs, and what they never record from the complement beside them.
SELECT 'aws' AS witness, srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, "end", action
FROM aws_flow_logs WHERE "day" BETWEEN '2026/01/31' AND '2026/02/01' AND log_status = 'OK'
UNION ALL
SELECT 'host', srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, "end", action
FROM host_complement WHERE "day" BETWEEN '2026/01/31' AND '2026/02/01' AND log_status = 'OK'
ORDER BY start;

-- name: hidden
-- What the network carried and the machine did not record, by five-tuple: a first look. `flowproof reconcile` does it in full, with reasons.
SELECT a.interface_id, a.srcaddr, a.dstaddr, a.srcport, a.dstport, a.protocol, sum(a.packets) AS packets, min(a.start) AS first, max(a."end") AS last
FROM aws_flow_logs a
WHERE a."day" BETWEEN '2026/01/31' AND '2026/02/01' AND a.action = 'ACCEPT' AND a.log_status = 'OK' AND NOT EXISTS (
  SELECT 1 FROM host_flow_logs h
  WHERE h."day" BETWEEN '2026/01/31' AND '2026/02/01' AND h.srcaddr = a.srcaddr AND h.dstaddr = a.dstaddr AND h.srcport = a.srcport
    AND h.dstport = a.dstport AND h.protocol = a.protocol)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY packets DESC;

-- name: destinations
-- Who was sent to, most bytes first.
SELECT dstaddr, dstport, protocol, sum(packets) AS packets, sum(bytes) AS bytes, min(start) AS first, max("end") AS last
FROM host_flow_logs WHERE "day" = '2026/01/31' AND action = 'ACCEPT' AND log_status = 'OK'
GROUP BY 1, 2, 3 ORDER BY bytes DESC LIMIT 100;

-- name: questions
-- Names that were asked for, and how that ended.
SELECT query_name, query_type, rcode, count(*) AS times, min(query_timestamp) AS first
FROM host_dns WHERE "day" = '2026/01/31' GROUP BY 1, 2, 3 ORDER BY times DESC LIMIT 100;
