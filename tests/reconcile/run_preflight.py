#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_preflight.py BUILD_DIR   What would make a run worthless is said before it, and nothing else.

A room in which all is as it should be; then one thing after the other is made wrong in it, or taken out of the answers: exactly that line
changes, to bad or to unknown. Real answers of AWS, and platform/ec2/collect with an `aws` of our own.
"""
import copy
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, check, equal, folder, match, run  # noqa: E402
from shared import ABSENT, data_folder  # noqa: E402

ENI, VPC, SUBNET, GROUP, INSTANCE, ACL, TABLE, ENDPOINT = "eni-01", "vpc-01", "subnet-01", "sg-01", "i-01", "acl-01", "rtb-01", "vpce-01"
COLLECTOR = "10.0.5.9:4739"
FORMAT = "${version} ${srcaddr} ${tcp-flags} ${pkt-srcaddr} ${pkt-dstaddr} ${flow-direction}"


def room():
    """The answers of the AWS CLI about a room that is in order, by file."""
    return {
        "describe-instances": {"Reservations": [{"Instances": [{
            "InstanceId": INSTANCE, "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
            "NetworkInterfaces": [{"NetworkInterfaceId": ENI, "VpcId": VPC, "SubnetId": SUBNET, "SourceDestCheck": True, "Groups": [{"GroupId": GROUP}]}]}]}]},
        "describe-flow-logs": {"FlowLogs": [{
            "FlowLogId": "fl-01", "ResourceId": VPC, "TrafficType": "ALL", "MaxAggregationInterval": 60, "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS",
            "LogFormat": FORMAT, "LogGroupName": "case", "LogDestination": "arn:aws:logs:eu-west-1:1:log-group:case"}]},
        "describe-security-groups": {"SecurityGroups": [{
            "GroupId": GROUP, "VpcId": VPC, "IpPermissions": [],
            "IpPermissionsEgress": [{"IpProtocol": "tcp", "FromPort": 4739, "ToPort": 4739, "IpRanges": [{"CidrIp": "10.0.5.9/32"}], "Ipv6Ranges": []}]}]},
        "describe-network-acls": {"NetworkAcls": [{
            "NetworkAclId": ACL, "VpcId": VPC, "Associations": [{"SubnetId": SUBNET}],
            "Entries": [{"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": True, "CidrBlock": "0.0.0.0/0"},
                        {"RuleNumber": 10, "Protocol": "6", "RuleAction": "allow", "Egress": True, "CidrBlock": "10.0.5.9/32"},
                        {"RuleNumber": 10, "Protocol": "6", "RuleAction": "allow", "Egress": False, "CidrBlock": "10.0.5.0/24", "PortRange": {"From": 1024, "To": 65535}}]}]},
        "describe-subnets": {"Subnets": [{"SubnetId": SUBNET, "CidrBlock": "10.0.1.0/24"}]},
        "describe-route-tables": {"RouteTables": [{
            "RouteTableId": TABLE, "VpcId": VPC, "Associations": [{"SubnetId": SUBNET, "Main": False}],
            "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationPrefixListId": "pl-01", "GatewayId": "vpce-01"}]}]},
        "describe-vpc-endpoints": {"VpcEndpoints": [{
            "VpcEndpointId": ENDPOINT, "VpcId": VPC, "ServiceName": "com.amazonaws.eu-west-1.s3",
            "PolicyDocument": json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::evidence/*"}]})}]},
        "describe-vpc-attribute": {"VpcId": VPC, "EnableDnsSupport": {"Value": True}},
        "list-resolver-query-log-configs": {"ResolverQueryLogConfigs": [{"Id": "rqlc-01", "DestinationArn": "arn:aws:s3:::case"}]},
        "list-resolver-query-log-config-associations": {"ResolverQueryLogConfigAssociations": [{"ResourceId": VPC, "Status": "ACTIVE"}]},
        "describe-log-groups": {"logGroups": [{"logGroupName": "case", "retentionInDays": 30}]},
        "describe-trails": {"trailList": [{"Name": "all", "S3BucketName": "trail"}]},
    }


def preflight(d, answers, *options, wrap=False):
    """(lines by (check, subject), logs by name, exit code)"""
    for old in os.listdir(d):
        os.unlink(os.path.join(d, old))
    for name, answer in answers.items():
        with open(os.path.join(d, name + ".json"), "w", encoding="ascii") as f:
            json.dump({"status_code": 200, "data": answer} if wrap else answer, f)
    r = run("flowproof", "preflight", "--aws", d, "--collector", COLLECTOR, "--json", *options)
    r.expect(0, 1)
    out = json.loads(r.out)
    lines = {}
    for line in out["checks"]:
        lines.setdefault((line["check"], line["subject"]), []).append(line)
    logs = {}
    for log in out["logs"]:
        logs.setdefault(log["log"], []).append(log)
    equal(out["summary"]["bad"] > 0, r.code == 1, "the exit status")
    return lines, logs, out


def statuses(lines):
    return {key: sorted(line["status"] for line in group) for key, group in lines.items()}


def at(answers, *path):
    for key in path:
        answers = answers[key]
    return answers


# What is made wrong: (name, file, change, {(check, subject): status that it must get}); all else stays as in a room in order.
def instance(a):
    return at(a, "describe-instances", "Reservations", 0, "Instances", 0)


def interface(a):
    return instance(a)["NetworkInterfaces"][0]


def flow_log(a):
    return at(a, "describe-flow-logs", "FlowLogs", 0)


def group(a):
    return at(a, "describe-security-groups", "SecurityGroups", 0)


def egress(a, **permission):
    group(a)["IpPermissionsEgress"].append({"IpProtocol": "-1", "IpRanges": [], "Ipv6Ranges": [], **permission})


def route(a, to, **via):
    at(a, "describe-route-tables", "RouteTables", 0, "Routes").append({"DestinationCidrBlock": to, **via})


EVERYBODY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
NO_LOG = {("flow_log", ENI): "bad", **{(f"flow_log_{x}", ENI): None for x in ("traffic", "interval", "delivery", "fields")}}
NONE_WORKS = {("flow_log", ENI): "bad", ("flow_log_traffic", ENI): None, ("flow_log_interval", ENI): None, ("flow_log_delivery", ENI): "bad"}
OPEN = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def second_log(a, **changes):
    a["describe-flow-logs"]["FlowLogs"].append(dict(flow_log(a), FlowLogId="fl-02", **changes))


def policy(a, *statements):
    at(a, "describe-vpc-endpoints", "VpcEndpoints", 0).update(PolicyDocument=json.dumps({"Statement": statements}))


def entry(a, number, action, protocol="-1", **more):
    at(a, "describe-network-acls", "NetworkAcls", 0, "Entries").append(
        {"RuleNumber": number, "Protocol": protocol, "RuleAction": action, "Egress": True, "CidrBlock": "0.0.0.0/0", **more})


ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
WRONG = (
    ("no flow log on it", lambda a: flow_log(a).update(ResourceId="vpc-other"), NO_LOG),
    ("traffic type ACCEPT", lambda a: flow_log(a).update(TrafficType="ACCEPT"), {("flow_log_traffic", ENI): "bad"}),
    ("traffic type REJECT", lambda a: flow_log(a).update(TrafficType="REJECT"), {("flow_log_traffic", ENI): "bad"}),
    ("600 s windows", lambda a: flow_log(a).update(MaxAggregationInterval=600), {("flow_log_interval", ENI): "warn"}),
    ("delivery fails", lambda a: flow_log(a).update(DeliverLogsStatus="FAILED", DeliverLogsErrorMessage="Access error"), NONE_WORKS),
    ("a flow log that is not active", lambda a: flow_log(a).update(FlowLogStatus="INACTIVE"), NONE_WORKS),
    ("of two flow logs the one of ACCEPT fails", lambda a: (second_log(a, TrafficType="REJECT"), flow_log(a).update(TrafficType="ACCEPT", DeliverLogsStatus="FAILED")),
     {("flow_log_traffic", ENI): "bad", ("flow_log_delivery", ENI): "bad"}),
    ("a minute for REJECT alone", lambda a: (second_log(a, TrafficType="REJECT"), flow_log(a).update(TrafficType="ACCEPT", MaxAggregationInterval=600)),
     {("flow_log_interval", ENI): "warn"}),
    ("traffic type not told", lambda a: flow_log(a).pop("TrafficType"), {("flow_log_traffic", ENI): "unknown", ("flow_log_interval", ENI): "unknown"}),
    ("interval not told", lambda a: flow_log(a).pop("MaxAggregationInterval"), {("flow_log_interval", ENI): "unknown"}),
    ("delivery not told", lambda a: flow_log(a).pop("DeliverLogsStatus"), {("flow_log_delivery", ENI): "unknown"}),
    ("flow logs on the next page", lambda a: a["describe-flow-logs"].update(FlowLogs=[], NextToken="t"), {**NO_LOG, ("flow_log", ENI): "unknown"}),
    ("half of all addresses", lambda a: egress(a, IpRanges=[{"CidrIp": "0.0.0.0/1"}]), {("egress_open", GROUP): "bad"}),
    ("all of IPv6 that there is", lambda a: egress(a, Ipv6Ranges=[{"CidrIpv6": "2000::/3"}]), {("egress_ipv6", GROUP): "bad"}),
    ("one's own networks", lambda a: egress(a, IpRanges=[{"CidrIp": "10.0.0.0/8"}], Ipv6Ranges=[{"CidrIpv6": "fc00::/7"}]), {}),
    ("a public address", lambda a: egress(a, IpRanges=[{"CidrIp": "198.51.100.7/32"}]), {("egress_open", GROUP): "warn"}),
    ("a prefix list", lambda a: egress(a, PrefixListIds=[{"PrefixListId": "pl-01"}]), {("egress_open", GROUP): "unknown"}),
    ("a group's rules not told", lambda a: group(a).pop("IpPermissionsEgress"),
     {("egress_open", GROUP): "unknown", ("egress_ipv6", GROUP): None, ("collector_path", ENI): "unknown", ("tracked_connections", ENI): "unknown"}),
    ("one port open inwards is not all", lambda a: (egress(a, IpRanges=OPEN["IpRanges"]), group(a)["IpPermissions"].append(dict(OPEN, IpProtocol="tcp", FromPort=22, ToPort=22))),
     {("egress_open", GROUP): "bad", ("tracked_connections", ENI): "warn"}),
    ("a route to a machine", lambda a: route(a, "0.0.0.0/0", InstanceId="i-9"), {("route_out", TABLE): "bad"}),
    ("a gateway load balancer", lambda a: route(a, "0.0.0.0/0", GatewayId="vpce-9"), {("route_out", TABLE): "bad"}),
    ("a core network", lambda a: route(a, "0.0.0.0/0", CoreNetworkArn="arn:aws:networkmanager::1:core-network/x"), {("route_out", TABLE): "bad"}),
    ("a target nobody knows", lambda a: route(a, "0.0.0.0/0", NewKindId="new-1"), {("route_out", TABLE): "unknown"}),
    ("a route that leads nowhere", lambda a: route(a, "0.0.0.0/0", NatGatewayId="nat-1", State="blackhole"), {}),
    ("the main table, and more pages", lambda a: (at(a, "describe-route-tables", "RouteTables", 0).update(Associations=[{"Main": True}]),
                                                  a["describe-route-tables"].update(NextToken="t")), {("route_out", TABLE): None, ("route_out", SUBNET): "unknown"}),
    ("the main table", lambda a: at(a, "describe-route-tables", "RouteTables", 0).update(Associations=[{"Main": True}]), {}),
    ("routes not told", lambda a: at(a, "describe-route-tables", "RouteTables", 0).pop("Routes"), {("route_out", TABLE): None, ("route_out", SUBNET): "unknown"}),
    ("an ACL that refuses before it allows", lambda a: (entry(a, 50, "deny"), entry(a, 100, "allow")), {}),
    ("an ACL that allows before it refuses", lambda a: (entry(a, 50, "allow"), entry(a, 100, "deny")), {("network_acl", ACL): "warn"}),
    ("an ACL that allows one port", lambda a: entry(a, 50, "allow", "6", PortRange={"From": 443, "To": 443}), {("network_acl", ACL): "warn"}),
    ("an ACL that allows all of IPv6", lambda a: entry(a, 50, "allow", CidrBlock="", Ipv6CidrBlock="::/0"), {("network_acl", ACL): "warn"}),
    ("an ACL that allows all inwards", lambda a: entry(a, 50, "allow", Egress=False), {}),
    ("entries not told", lambda a: at(a, "describe-network-acls", "NetworkAcls", 0).pop("Entries"), {("network_acl", ACL): None, ("network_acl", SUBNET): "unknown"}),
    ("an ACL that refuses the collector", lambda a: entry(a, 5, "deny", "6", CidrBlock="10.0.5.0/24", PortRange={"From": 4000, "To": 5000}), {("collector_path", ACL): "bad"}),
    ("an ACL that refuses another port", lambda a: entry(a, 5, "deny", "6", CidrBlock="10.0.5.0/24", PortRange={"From": 1, "To": 4738}), {}),
    ("an ACL that refuses the collector's answers", lambda a: entry(a, 5, "deny", Egress=False), {("collector_path", ACL): "bad"}),
    ("an ACL that lets some of the answers in", lambda a: at(a, "describe-network-acls", "NetworkAcls", 0, "Entries", 2)["PortRange"].update(From=40000), {("collector_path", ACL): "bad"}),
    ("an ACL that refuses some of the answers", lambda a: entry(a, 5, "deny", "6", Egress=False, PortRange={"From": 32000, "To": 33000}), {("collector_path", ACL): "bad"}),
    ("the same, the subnet not told", lambda a: (entry(a, 5, "deny", Egress=False), a.pop("describe-subnets")), {("collector_path", ACL): "warn"}),
    ("the same, the collector in the subnet", lambda a: (entry(a, 5, "deny", Egress=False), at(a, "describe-subnets", "Subnets", 0).update(CidrBlock="10.0.0.0/16")), {}),
    ("no route to the collector", lambda a: at(a, "describe-route-tables", "RouteTables", 0).update(Routes=[{"DestinationCidrBlock": "172.16.0.0/16", "GatewayId": "local"}]),
     {("collector_path", TABLE): "bad"}),
    ("an endpoint for everybody, in lists", lambda a: policy(a, dict(ALLOW, Principal={"AWS": "*"}, Action=["s3:*"], Resource=["*"])), {("endpoint_open", ENDPOINT): "warn"}),
    ("an endpoint for everything but something", lambda a: policy(a, {"Effect": "Allow", "Principal": "*", "NotAction": "s3:x", "Resource": "*"}), {("endpoint_open", ENDPOINT): "warn"}),
    ("an endpoint under a condition", lambda a: policy(a, dict(ALLOW, Condition={"StringEquals": {"aws:ResourceOrgID": "o-1"}})), {}),
    ("an endpoint that refuses everybody", lambda a: policy(a, dict(ALLOW, Effect="Deny")), {}),
    ("a policy that is none", lambda a: at(a, "describe-vpc-endpoints", "VpcEndpoints", 0).update(PolicyDocument="{"), {("endpoint_open", ENDPOINT): "unknown"}),
    ("an endpoint that is deleted", lambda a: (policy(a, ALLOW), at(a, "describe-vpc-endpoints", "VpcEndpoints", 0).update(State="deleted")),
     {("endpoint_open", ENDPOINT): None, ("endpoint_open", VPC): "fine"}),
    ("a secondary public address", lambda a: interface(a).update(PrivateIpAddresses=[{"Primary": True}, {"Association": {"PublicIp": "198.51.100.7"}}]), {("public_address", ENI): "bad"}),
    ("a public address that only the interfaces tell", lambda a: a.update({"describe-network-interfaces": {"NetworkInterfaces": [
        {"NetworkInterfaceId": ENI, "Association": {"PublicIp": "198.51.100.7"}}]}}), {("public_address", ENI): "bad"}),
    ("an IPv6 address", lambda a: interface(a).update(Ipv6Addresses=[{"Ipv6Address": "2001:db8::1"}]), {("public_address", ENI): "warn"}),
    ("queries whose delivery failed", lambda a: at(a, "list-resolver-query-log-config-associations", "ResolverQueryLogConfigAssociations", 0).update(Status="FAILED"),
     {("dns_unlogged", VPC): "bad"}),
    ("associations on the next page", lambda a: a["list-resolver-query-log-config-associations"].update(ResolverQueryLogConfigAssociations=[], NextToken="t"),
     {("dns_unlogged", VPC): "unknown"}),
    ("no pkt-* fields", lambda a: flow_log(a).update(LogFormat="${version} ${srcaddr}"), {("flow_log_fields", ENI): "warn"}),
    ("egress to anywhere", lambda a: egress(a, IpRanges=[{"CidrIp": "0.0.0.0/0"}]), {("egress_open", GROUP): "bad"}),
    ("IPv6 forgotten", lambda a: egress(a, Ipv6Ranges=[{"CidrIpv6": "::/0"}]), {("egress_ipv6", GROUP): "bad"}),
    ("no way to the collector", lambda a: group(a).update(IpPermissionsEgress=[]), {("collector_path", ENI): "bad"}),
    ("another port to the collector", lambda a: group(a)["IpPermissionsEgress"][0].update(FromPort=1, ToPort=4738), {("collector_path", ENI): "bad"}),
    ("UDP to the collector alone", lambda a: group(a)["IpPermissionsEgress"][0].update(IpProtocol="udp"), {("collector_path", ENI): "bad"}),
    ("internet gateway", lambda a: route(a, "0.0.0.0/0", GatewayId="igw-1"), {("route_out", TABLE): "bad"}),
    ("NAT gateway", lambda a: route(a, "0.0.0.0/0", NatGatewayId="nat-1"), {("route_out", TABLE): "bad"}),
    ("transit gateway", lambda a: route(a, "10.9.0.0/16", TransitGatewayId="tgw-1"), {("route_out", TABLE): "bad"}),
    ("peering", lambda a: route(a, "10.9.0.0/16", VpcPeeringConnectionId="pcx-1"), {("route_out", TABLE): "bad"}),
    ("egress-only gateway", lambda a: route(a, None, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId="eigw-1"), {("route_out", TABLE): "bad"}),
    ("IMDSv1", lambda a: instance(a)["MetadataOptions"].update(HttpTokens="optional"), {("imdsv1", INSTANCE): "bad"}),
    ("hop limit 2", lambda a: instance(a)["MetadataOptions"].update(HttpPutResponseHopLimit=2), {("imdsv1", INSTANCE): "warn"}),
    ("a role", lambda a: instance(a).update(IamInstanceProfile={"Arn": "arn:aws:iam::1:instance-profile/x"}), {("instance_role", INSTANCE): "bad"}),
    ("a public address", lambda a: interface(a).update(Association={"PublicIp": "198.51.100.7"}), {("public_address", ENI): "bad"}),
    ("forwarding", lambda a: interface(a).update(SourceDestCheck=False), {("source_dest_check", ENI): "warn"}),
    ("an endpoint for everybody", lambda a: at(a, "describe-vpc-endpoints", "VpcEndpoints", 0).update(PolicyDocument=EVERYBODY), {("endpoint_open", ENDPOINT): "warn"}),
    ("an ACL that allows all", lambda a: at(a, "describe-network-acls", "NetworkAcls", 0, "Entries").append(
        {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": True, "CidrBlock": "0.0.0.0/0"}), {("network_acl", ACL): "warn"}),
    ("queries not logged", lambda a: a["list-resolver-query-log-config-associations"].update(ResolverQueryLogConfigAssociations=[]), {("dns_unlogged", VPC): "bad"}),
    ("queries of another VPC logged", lambda a: at(a, "list-resolver-query-log-config-associations", "ResolverQueryLogConfigAssociations", 0).update(ResourceId="vpc-2"),
     {("dns_unlogged", VPC): "bad"}),
)
# An answer that is missing: what it told becomes unknown.
ABSENCE = (
    ("describe-flow-logs", {("flow_log", ENI): "unknown", **{(f"flow_log_{x}", ENI): None for x in ("traffic", "interval", "delivery", "fields")}}),
    ("describe-security-groups", {("egress_open", GROUP): "unknown", ("egress_ipv6", GROUP): None, ("collector_path", ENI): "unknown",
                                  ("tracked_connections", ENI): "unknown"}),
    ("describe-network-acls", {("network_acl", ACL): None, ("network_acl", SUBNET): "unknown"}),
    ("describe-route-tables", {("route_out", TABLE): None, ("route_out", SUBNET): "unknown"}),
    ("describe-vpc-endpoints", {("endpoint_open", ENDPOINT): None, ("endpoint_open", VPC): "unknown"}),
)
# Two steps are needed wherever connections are tracked: said as a warning in a room that limits traffic.
ALWAYS = {("tracked_connections", ENI): ["warn"]}


def changed(base, changes):
    want = {k: v for k, v in base.items() if changes.get(k, "") is not None}
    want.update({k: [v] for k, v in changes.items() if v})
    return want


def checks(tap, d):
    with tap.case("a room in order: nothing is bad, each check is there and fine"):
        lines, logs, out = preflight(d, room())
        base = statuses(lines)
        equal({k: v for k, v in base.items() if set(v) != {"fine"}}, ALWAYS)
        equal(len({check for check, _ in base}), 17)
        equal(out["summary"]["interfaces"], 1)
        check(all("mend" not in line for group in lines.values() for line in group if line["status"] == "fine"), "nothing to mend where all is fine")
    with tap.case("the same below a member \"data\""):
        equal(statuses(preflight(d, room(), wrap=True)[0]), base)
    for name, change, changes in WRONG:
        with tap.case(f"{name}: that line changes, and no other"):
            answers = copy.deepcopy(room())
            change(answers)
            lines, _, _ = preflight(d, answers)
            got = statuses(lines)
            # Several lines of one check (each route): the worst is the changed one, those beside it stay fine.
            worst = ("bad", "warn", "unknown", "fine")
            equal({k: [min(v, key=worst.index)] if k in changes else sorted(set(v)) for k, v in got.items()}, changed(base, changes))
            for key, status in changes.items():
                for line in lines.get(key, []) if status not in (None, "fine") else []:
                    check(line["status"] == "fine" or line["why"] and line["mend"].startswith("aws "), f"{line}: a reason and a command")
    for name, changes in ABSENCE:
        with tap.case(f"without {name}: unknown is said as unknown"):
            answers = room()
            del answers[name]
            equal(statuses(preflight(d, answers)[0]), changed(base, changes))
    with tap.case("open both ways: connections are not tracked; the resolver off needs no log; metadata off needs no tokens"):
        answers = room()
        egress(answers, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
        group(answers)["IpPermissions"] = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        answers["describe-vpc-attribute"]["EnableDnsSupport"]["Value"] = False
        del answers["list-resolver-query-log-config-associations"]
        instance(answers)["MetadataOptions"] = {"HttpEndpoint": "disabled", "HttpTokens": "optional"}
        got = statuses(preflight(d, answers)[0])
        equal([got[k] for k in (("tracked_connections", ENI), ("dns_unlogged", VPC), ("imdsv1", INSTANCE), ("egress_open", GROUP))], [["fine"], ["fine"], ["fine"], ["bad"]])
    with tap.case("the command that mends names the subject, and nothing that a shell would run"):
        answers = room()
        flow_log(answers)["ResourceId"] = "x"
        interface(answers)["NetworkInterfaceId"] = "eni-1;reboot\u001b[0m"
        lines, _, _ = preflight(d, answers)
        (line,) = [g[0] for (name, _), g in lines.items() if name == "flow_log"]
        match(r"--resource-ids eni-1\?reboot\?\?0m --traffic-type ALL", line["mend"])
        check("\x1b" not in json.dumps(line, ensure_ascii=False), "no escape")


def inventory(tap, d):
    with tap.case("the logs of the case: what is on, where to, how long, which fields; what is off and how to turn it on; unknown; none"):
        answers = room()
        answers["list-web-acls"] = {"WebACLs": [{"Name": "w"}]}
        answers["list-logging-configurations"] = {"LoggingConfigurations": []}
        answers["describe-load-balancers"] = {"LoadBalancers": []}
        answers["list-detectors"] = {"DetectorIds": []}
        answers["get-trail-status"] = {"IsLogging": True}
        answers["get-stages"] = {"item": [{"stageName": "p", "accessLogSettings": {"destinationArn": "arn:x"}}]}
        _, logs, _ = preflight(d, answers)
        equal({name: [(log["state"], "mend" in log) for log in group] for name, group in logs.items()}, {
            "flow_logs": [("on", False)], "resolver_query_log": [("on", False)], "alb_access_log": [("none", False)], "cloudfront_log": [("unknown", False)],
            "waf_log": [("off", True)], "api_gateway_log": [("on", False)], "cloudtrail": [("on", False)], "guardduty": [("off", True)]})
        equal([logs["flow_logs"][0][k] for k in ("where", "kept", "fields")],
              ["arn:aws:logs:eu-west-1:1:log-group:case", "30 days", "version srcaddr tcp-flags pkt-srcaddr pkt-dstaddr flow-direction"])
        answers["describe-load-balancers"] = {"LoadBalancers": [{"LoadBalancerArn": "a"}]}
        answers["attributes"] = {"Attributes": [{"Key": "access_logs.s3.enabled", "Value": "false"}]}
        answers["distribution"] = {"DistributionConfig": {"Logging": {"Enabled": True}}}
        _, logs, _ = preflight(d, answers)
        equal((logs["alb_access_log"][0]["state"], logs["cloudfront_log"][0]["state"]), ("off", "on"))
    on, off = ({"Attributes": [{"Key": "access_logs.s3.enabled", "Value": v}]} for v in ("true", "false"))
    acls = {"WebACLs": [{"Name": "a", "ARN": "arn:a"}, {"Name": "b", "ARN": "arn:b"}]}
    trail, one = {"IsLogging": True}, {"ResourceArn": "arn:a"}
    stage = {"stageName": "p", "accessLogSettings": {"destinationArn": "arn:x"}}
    for log, want, more in (
            ("cloudtrail", "unknown", {}), ("cloudtrail", "on", {"t": trail}), ("cloudtrail", "off", {"t": {"IsLogging": False}}),
            ("cloudtrail", "unknown", {"describe-trails": {"trailList": [], "NextToken": "t"}}), ("cloudtrail", "off", {"describe-trails": {"trailList": []}}),
            ("cloudtrail", "unknown", {"describe-trails": {"trailList": [{"Name": "a"}, {"Name": "b"}]}, "t": trail}),
            ("guardduty", "unknown", {}), ("guardduty", "unknown", {"d": {"DetectorIds": ["x"]}}), ("guardduty", "on", {"d": {"DetectorIds": ["x"]}, "e": {"ServiceRole": "r", "Status": "ENABLED"}}),
            ("guardduty", "off", {"d": {"DetectorIds": ["x"]}, "e": {"ServiceRole": "r", "Status": "DISABLED"}}),
            ("alb_access_log", "unknown", {"l": {"LoadBalancers": [{}, {}]}, "1": on}), ("alb_access_log", "on", {"l": {"LoadBalancers": [{}, {}]}, "1": on, "2": on}),
            ("alb_access_log", "off", {"l": {"LoadBalancers": [{}, {}]}, "1": on, "2": off}), ("alb_access_log", "unknown", {"l": {"LoadBalancers": [], "NextMarker": "m"}}),
            ("alb_access_log", "none", {"l": {"LoadBalancers": []}, "1": {"Attributes": [{"Key": "stickiness.enabled", "Value": "false"}]}}),
            ("waf_log", "unknown", {"w": acls}), ("waf_log", "off", {"w": acls, "l": {"LoggingConfigurations": [one]}}), ("waf_log", "off", {"w": acls, "l": {"LoggingConfigurations": [{"ResourceArn": "arn:z"}, one]}}),
            ("waf_log", "on", {"w": {"WebACLs": acls["WebACLs"][:1]}, "l": {"LoggingConfiguration": one}}),
            ("waf_log", "unknown", {"w": acls, "l": {"LoggingConfiguration": one}}),
            ("cloudfront_log", "on", {"c": {"Distribution": {"DistributionConfig": {"Logging": {"Enabled": True}}}}}),
            ("cloudfront_log", "unknown", {"l": {"DistributionList": {"Items": [], "IsTruncated": True}}}), ("cloudfront_log", "none", {"l": {"DistributionList": {"Quantity": 0}}}),
            ("api_gateway_log", "unknown", {"a": {"items": [{"id": "x"}, {"id": "y"}]}, "s": {"item": [stage]}}), ("api_gateway_log", "on", {"a": {"items": [{"id": "x"}]}, "s": {"item": [stage]}}),
            ("api_gateway_log", "on", {"a": {"Items": [{"ApiId": "x"}]}, "s": {"Items": [{"StageName": "p", "AccessLogSettings": {"DestinationArn": "arn:x"}}]}}),
            ("api_gateway_log", "off", {"a": {"Items": [{"ApiId": "x"}]}, "s": {"Items": [{"StageName": "p"}]}}),
            ("resolver_query_log", "off", {"list-resolver-query-log-config-associations": {"ResolverQueryLogConfigAssociations": []}}),
            ("resolver_query_log", "unknown", {"list-resolver-query-log-config-associations": {"x": 1}}),
            ("resolver_query_log", "off", {"list-resolver-query-log-config-associations": {"ResolverQueryLogConfigAssociations": [{"ResolverQueryLogConfigId": "other", "Status": "ACTIVE"}]}}),
            ("flow_logs", "off", {"describe-flow-logs": {"FlowLogs": [dict(flow_log(room()), DeliverLogsStatus="FAILED")]}}),
            ("flow_logs", "unknown", {"describe-flow-logs": {"FlowLogs": [], "NextToken": "t"}}),
            ("flow_logs", "off", {"describe-flow-logs": {"FlowLogs": [], "NextToken": "t"}, "page-2": {"FlowLogs": []}})):
        with tap.case(f"{log} is {want}: {', '.join(more) or 'nothing of it is told'}"):
            _, logs, _ = preflight(d, {**room(), **more})
            equal([entry["state"] for entry in logs[log]][:1], [want])


def errors(tap, d):
    with tap.case("no folder, nothing of AWS in it, an interface that is not there, a file that is no JSON"):
        match("--aws is missing", run("flowproof", "preflight").expect(2).err)
        match("absent", run("flowproof", "preflight", "--aws", os.path.join(d, "absent")).expect(3).err)
        preflight(d, room())
        match("tells of no interface eni-9", run("flowproof", "preflight", "--aws", d, "--interface", "eni-9").expect(2).err)
        with open(os.path.join(d, "broken.json"), "w", encoding="ascii") as f:
            f.write('{"FlowLogs": [\n')
        r = run("flowproof", "preflight", "--aws", d, "--collector", COLLECTOR).expect(3)
        match("broken.json:2: not JSON", r.err)
        match("0 bad, 1 to look at", r.out)
        flows = json.dumps(room()["describe-flow-logs"])
        for data, code, why in ((("\ufeff" + flows).encode(), 0, ""), (flows.encode("utf-16"), 0, ""), (b"\xfe\xff" + flows.encode("utf-16-be"), 0, ""),
                                (b"\nAn error occurred (UnauthorizedOperation) when calling the DescribeFlowLogs operation\n", 3, r"gave no answer: An error occurred \(Unauthorized"),
                                (b"", 3, "broken.json: it is empty"), (b'[{"FlowLogId": "fl-01"}]', 3, "a list without its name"), (b'{"Error": {"Code": "AccessDenied"}}', 3, "gave no answer: AccessDenied")):
            with open(os.path.join(d, "broken.json"), "wb") as f:
                f.write(data)
            os.path.exists(os.path.join(d, "describe-flow-logs.json")) and os.unlink(os.path.join(d, "describe-flow-logs.json"))
            r = run("flowproof", "preflight", "--aws", d, "--collector", COLLECTOR, "--json").expect(code)
            match(why, r.err)
            equal([line["status"] for line in json.loads(r.out)["checks"] if line["check"] == "flow_log"], ["unknown" if code else "fine"])
        for name in os.listdir(d):
            os.unlink(os.path.join(d, name))
        match("holds nothing that the AWS CLI printed: let platform/ec2/collect fill it", run("flowproof", "preflight", "--aws", d).expect(2).err)


def collect(tap, d):
    with tap.case("platform/ec2/collect asks once for each answer and names what fails; preflight reads it"):
        answers = room()
        tools, out = os.path.join(d, "bin"), os.path.join(d, "out")
        os.makedirs(tools)
        for name, answer in answers.items():
            with open(os.path.join(tools, name), "w", encoding="ascii") as f:
                json.dump(answer, f)
        with open(os.path.join(tools, "aws"), "w", encoding="ascii") as f:
            f.write('#!/bin/sh\nset -u\nhere=$(dirname "$0")\nshift 2\necho "$*" >>"$here/calls"\ncase "$*" in *--query*) case $2 in describe-instances) echo vpc-01 ;; esac; exit 0 ;; esac\n'
                    'case $2 in describe-*|list-*|get-*) ;; *) echo "would change something" >>"$here/bad" ;; esac\n'
                    '[ -e "$here/$2" ] || { echo "An error occurred (AccessDenied)" >&2; exit 254; }\ncat "$here/$2"\n')
        os.chmod(os.path.join(tools, "aws"), 0o755)
        env = dict(os.environ, PATH=tools + ":" + os.environ["PATH"])
        p = subprocess.run([os.path.join(ROOT, "platform", "ec2", "collect"), out], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        equal(p.returncode, 1, p.stdout)
        check(not os.path.exists(os.path.join(tools, "bad")), "only questions")
        with open(os.path.join(out, "failed.txt"), encoding="ascii") as f:
            failed = f.read()
        match(r"^list-detectors: aws guardduty list-detectors: An error occurred \(AccessDenied\)", failed)
        have = {n[:-5] for n in os.listdir(out) if n.endswith(".json")}
        equal(have, {n if n != "describe-vpc-attribute" else "describe-vpc-attribute-vpc-01" for n in answers})
        r = run("flowproof", "preflight", "--aws", out, "--collector", COLLECTOR, "--json").expect(0)
        equal(json.loads(r.out)["summary"]["bad"], 0)


def samples(tap, data):
    where = os.path.join(data, "awslogs")
    with tap.case("real answers: what they hold is found, by hand from the files"):
        r = run("flowproof", "preflight", "--aws", where, "--json").expect(1, 3)
        out = json.loads(r.out)
        lines = [(line["check"], line["subject"], line["status"]) for line in out["checks"]]
        logs = [log for log in out["logs"] if log["log"] == "flow_logs"]
        # custodian-flow-logs.json: two logs, 600 s, on VPCs that no interface here is in.
        equal([(log["source"], log["state"]) for log in logs], [("fl-0df85cc33e19397d2", "on"), ("fl-069df76b301f1327d", "on")])
        check(("flow_log", "eni-05f8e0f783bfe84f0", "bad") in lines, "no flow log on it")
        with open(os.path.join(where, "cloudmapper-ec2-describe-instances.json"), encoding="utf-8") as f:
            machines = [i for res in json.load(f)["Reservations"] for i in res["Instances"]]
        for machine in machines:
            has_role = "IamInstanceProfile" in machine
            check(("instance_role", machine["InstanceId"], "bad" if has_role else "fine") in lines, machine["InstanceId"])
            for i in machine["NetworkInterfaces"]:
                public = "PublicIp" in i.get("Association", {}) or "PublicIpAddress" in machine
                check(("public_address", i["NetworkInterfaceId"], "bad" if public else "fine") in lines, i["NetworkInterfaceId"])


def main():
    tap = Tap()
    with folder() as d:
        checks(tap, d)
        inventory(tap, d)
        errors(tap, d)
        collect(tap, d)
    data = data_folder()
    if data:
        samples(tap, data)
    else:
        tap.skip("real answers", ABSENT)
    tap.done()


main()
