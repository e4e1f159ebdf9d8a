-- SPDX-License-Identifier: Apache-2.0
-- Tables for Amazon Athena: AWS's own Flow Logs, and beside them what flowproof puts into the same bucket (docs/queries.md).
-- Replace BUCKET, PREFIX/ (or nothing), ACCOUNT and REGION; run one statement at a time. Default layout, text, the 14 fields of version 2.

-- AWS's own Flow Logs. The statement is that of Athena's manual ("Query VPC flow logs"), with partition projection by day.
CREATE EXTERNAL TABLE IF NOT EXISTS aws_flow_logs (
  version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int, protocol bigint,
  packets bigint, bytes bigint, start bigint, `end` bigint, action string, log_status string)
PARTITIONED BY (`day` string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
LOCATION 's3://BUCKET/AWS-PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/'
TBLPROPERTIES ('skip.header.line.count' = '1', 'projection.enabled' = 'true', 'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd', 'projection.day.range' = '2024/01/01,NOW',
  'storage.location.template' = 's3://BUCKET/AWS-PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/${day}/');

-- The same machines as they recorded themselves. PREFIX must differ from AWS-PREFIX, or Athena takes them for AWS's.
CREATE EXTERNAL TABLE IF NOT EXISTS host_flow_logs (
  version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int, protocol bigint,
  packets bigint, bytes bigint, start bigint, `end` bigint, action string, log_status string)
PARTITIONED BY (`day` string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
LOCATION 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/'
TBLPROPERTIES ('skip.header.line.count' = '1', 'projection.enabled' = 'true', 'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd', 'projection.day.range' = '2024/01/01,NOW',
  'storage.location.template' = 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/${day}/');

-- What Flow Logs never record: DNS to the VPC's resolver, instance metadata, time sync, DHCP, link-local, multicast.
CREATE EXTERNAL TABLE IF NOT EXISTS host_complement (
  version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int, protocol bigint,
  packets bigint, bytes bigint, start bigint, `end` bigint, action string, log_status string)
PARTITIONED BY (`day` string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
LOCATION 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/flowproofcomplement/REGION/'
TBLPROPERTIES ('skip.header.line.count' = '1', 'projection.enabled' = 'true', 'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd', 'projection.day.range' = '2024/01/01,NOW',
  'storage.location.template' = 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/flowproofcomplement/REGION/${day}/');

-- DNS, in the form of a Route 53 Resolver query log.
CREATE EXTERNAL TABLE IF NOT EXISTS host_dns (
  version string, account_id string, region string, vpc_id string, query_timestamp string, query_name string, query_type string,
  query_class string, rcode string, answers array<struct<Rdata: string, Type: string, Class: string>>, srcaddr string, srcport int,
  transport string, srcids struct<instance: string>)
PARTITIONED BY (`day` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/flowproofdns/REGION/'
TBLPROPERTIES ('projection.enabled' = 'true', 'projection.day.type' = 'date', 'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2024/01/01,NOW', 'storage.location.template' = 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/flowproofdns/REGION/${day}/');

-- Parquet under the Hive layout (--deliver-format parquet, --deliver-layout hive), in place of host_flow_logs.
CREATE EXTERNAL TABLE IF NOT EXISTS host_flow_logs_parquet (
  version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int, protocol int,
  packets bigint, bytes bigint, start bigint, `end` bigint, action string, log_status string)
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/'
TBLPROPERTIES ('projection.enabled' = 'true', 'projection.year.type' = 'integer', 'projection.year.range' = '2024,2040',
  'projection.month.type' = 'integer', 'projection.month.range' = '1,12', 'projection.month.digits' = '2',
  'projection.day.type' = 'integer', 'projection.day.range' = '1,31', 'projection.day.digits' = '2', 'storage.location.template' =
  's3://BUCKET/PREFIX/AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=${year}/month=${month}/day=${day}/');
