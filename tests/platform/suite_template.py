#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_template.py BUILD_DIR   platform/ec2/quarantine.yaml: CloudFormation would take it, nothing leads out of it, and `flowproof preflight` agrees.

The resource specification in cfn_spec.json (see make_cfn_spec.py) says which properties there are and must be; what the template makes is then
answered for as the AWS CLI would, a suspect in it started by its launch template.
"""
import copy
import ipaddress
import json
import os
import re
import sys

import yaml

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402

TEMPLATE = os.path.join(ROOT, "platform", "ec2", "quarantine.yaml")
PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1", "AWS::Partition": "aws", "AWS::StackName": "case", "AWS::URLSuffix": "amazonaws.com"}
PRIMITIVES = {"String": (str, int), "Integer": (int,), "Double": (int, float), "Boolean": (bool,), "Long": (int,), "Json": (dict,), "Timestamp": (str,)}
ATTRIBUTES = ("Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Condition", "Metadata")
WAYS_OUT = ("InternetGateway", "NatGateway", "EgressOnlyInternetGateway", "EIP", "VPCPeeringConnection", "TransitGateway", "VPNGateway", "VPNConnection",
            "CarrierGateway", "Route", "VPCGatewayAttachment", "TransitGatewayAttachment")
V5 = """version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id instance-id tcp-flags
 type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path""".split()


class Loader(yaml.SafeLoader):
    """With CloudFormation's short forms, as the long ones; a key that is given twice is an error."""


def short(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    return {name: loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else mapping(loader, node)}


def mapping(loader, node):
    keys = [loader.construct_object(k, deep=True) for k, _ in node.value]
    if len(set(keys)) != len(keys):
        raise yaml.YAMLError(f"a key stands twice: {keys}, {node.start_mark}")
    return dict(zip(keys, (loader.construct_object(v, deep=True) for _, v in node.value)))


Loader.add_multi_constructor("!", short)
Loader.add_constructor("tag:yaml.org,2002:map", mapping)


def intrinsic(value):
    return isinstance(value, dict) and len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::"))


class Checker:
    """faults: what CloudFormation would refuse, as far as its specification tells."""

    def __init__(self, template, spec):
        self.t, self.spec, self.faults, self.used = template, spec, [], set()
        for name, r in template["Resources"].items():
            row = spec["resources"].get(r.get("Type"))
            if not row:
                self.faults.append(f"{name}: no type {r.get('Type')}")
                continue
            self.faults += [f"{name}: {k} is no attribute of a resource" for k in r if k not in ATTRIBUTES]
            for other in [r["DependsOn"]] if isinstance(r.get("DependsOn"), str) else r.get("DependsOn", []):
                if other not in template["Resources"]:
                    self.faults.append(f"{name}: depends on {other}, which is not there")
            self.members(f"{name}", r["Type"], row["properties"], r.get("Properties", {}))
        self.references("Resources", template["Resources"])
        self.references("Outputs", template.get("Outputs", {}))
        self.faults += [f"parameter {p} is not used" for p in template["Parameters"] if p not in self.used]

    def members(self, where, kind, rows, value):
        for key, v in value.items():
            if key not in rows:
                self.faults.append(f"{where}.{key}: no such property of {kind}")
            else:
                self.one(f"{where}.{key}", kind, rows[key], v)
        self.faults += [f"{where}.{k}: is required" for k, row in rows.items() if row.get("Required") and k not in value]

    def one(self, where, kind, row, v):
        if intrinsic(v):
            return
        if row.get("Type") in ("List", "Map"):
            item = {"PrimitiveType": row.get("PrimitiveItemType"), "Type": row.get("ItemType")}
            if not isinstance(v, list if row["Type"] == "List" else dict):
                self.faults.append(f"{where}: is no {row['Type']}")
                return
            for n, one in enumerate(v) if row["Type"] == "List" else v.items():
                self.one(f"{where}[{n}]", kind, item, one)
        elif row.get("PrimitiveType"):
            wanted = PRIMITIVES[row["PrimitiveType"]]
            if not isinstance(v, wanted) or (isinstance(v, bool) and bool not in wanted):
                self.faults.append(f"{where}: {v!r} is no {row['PrimitiveType']}")
        else:
            base = kind.split(".")[0]
            full = row["Type"] if row["Type"] == "Tag" else f"{base}.{row['Type']}"
            if isinstance(v, dict):
                self.members(where, full, self.spec["properties"][full], v)
            else:
                self.faults.append(f"{where}: is no {row['Type']}")

    def reference(self, where, name):
        self.used.add(name)
        if name not in self.t["Resources"] and name not in self.t["Parameters"] and name not in PSEUDO:
            self.faults.append(f"{where}: there is no {name}")

    def attribute(self, where, name, attribute):
        kind = self.t["Resources"].get(name, {}).get("Type")
        if attribute not in self.spec["resources"].get(kind, {"attributes": []})["attributes"]:
            self.faults.append(f"{where}: {name} has no attribute {attribute}")

    def references(self, where, value):
        if isinstance(value, list):
            for n, v in enumerate(value):
                self.references(f"{where}[{n}]", v)
        elif isinstance(value, dict):
            if "Ref" in value:
                self.reference(where, value["Ref"])
            if "Fn::GetAtt" in value:
                self.attribute(where, *value["Fn::GetAtt"])
            if isinstance(value.get("Fn::Sub"), str):
                for name in re.findall(r"\$\{([^!}]+)\}", value["Fn::Sub"]):
                    if "." in name:
                        self.attribute(where, *name.split(".", 1))
                    else:
                        self.reference(where, name)
            for k, v in value.items():
                self.references(f"{where}.{k}", v)


# ---- what it makes ----

class Stack:
    """The template's resources with their values: parameters by their defaults, identifiers made up."""

    GIVEN = {"CaseId": "2026-017", "AvailabilityZone": "eu-west-1a", "S3PrefixList": "pl-0a", "CollectorImage": "ami-0a"}

    def __init__(self, template):
        self.t = template
        self.resources = {name: (r["Type"], self.value(r.get("Properties", {}))) for name, r in template["Resources"].items()}

    def name(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.t["Parameters"]:
            return self.GIVEN.get(name, self.t["Parameters"][name].get("Default"))
        return f"id-{name}"

    def value(self, v):
        if isinstance(v, list):
            return [self.value(x) for x in v]
        if not isinstance(v, dict):
            return v
        if intrinsic(v):
            (key, arg), = v.items()
            if key == "Ref":
                return self.name(arg)
            if key == "Fn::GetAtt":
                return f"arn:aws:x:::{arg[0]}" if arg[1] == "Arn" else f"id-{arg[0]}"
            if key == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda m: f"arn:aws:s3:::id-{m[1][:-4]}" if m[1].endswith(".Arn") else str(self.name(m[1])), arg)
            return self.value(arg)
        return {k: self.value(x) for k, x in v.items()}

    def of(self, kind):
        return {f"id-{n}": p for n, (t, p) in self.resources.items() if t == "AWS::" + kind}


def permissions(rules):
    out = []
    for r in rules:
        out.append({"IpProtocol": r["IpProtocol"], **({"FromPort": r["FromPort"], "ToPort": r["ToPort"]} if "FromPort" in r else {}),
                    "IpRanges": [{"CidrIp": r["CidrIp"]}] if "CidrIp" in r else [], "Ipv6Ranges": [],
                    "PrefixListIds": [{"PrefixListId": r["DestinationPrefixListId"]}] if "DestinationPrefixListId" in r else [],
                    "UserIdGroupPairs": [{"GroupId": r["SourceSecurityGroupId"]}] if "SourceSecurityGroupId" in r else []})
    return out


def answers(stack):
    """What the AWS CLI would say of the room, the suspect being started in it by the launch template."""
    vpc = "id-Vpc"
    data = stack.resources["SuspectTemplate"][1]["LaunchTemplateData"]
    card = data["NetworkInterfaces"][0]
    interface = {"NetworkInterfaceId": "eni-01", "VpcId": vpc, "SubnetId": card["SubnetId"], "SourceDestCheck": True, "Groups": [{"GroupId": g} for g in card["Groups"]]}
    tables = {}
    for table in stack.of("EC2::RouteTable"):
        subnets = [a["SubnetId"] for a in stack.of("EC2::SubnetRouteTableAssociation").values() if a["RouteTableId"] == table]
        via = [{"DestinationPrefixListId": "pl-0a", "GatewayId": e} for e, p in stack.of("EC2::VPCEndpoint").items() if table in p.get("RouteTableIds", [])]
        tables[table] = {"RouteTableId": table, "VpcId": vpc, "Associations": [{"SubnetId": s, "Main": False} for s in subnets],
                         "Routes": [{"DestinationCidrBlock": stack.name("VpcCidr"), "GatewayId": "local"}, *via]}
    acl = {"NetworkAclId": "id-SuspectAcl", "VpcId": vpc, "Associations": [{"SubnetId": a["SubnetId"]} for a in stack.of("EC2::SubnetNetworkAclAssociation").values()],
           "Entries": [{"RuleNumber": e["RuleNumber"], "Protocol": str(e["Protocol"]), "RuleAction": e["RuleAction"], "Egress": e["Egress"], "CidrBlock": e["CidrBlock"],
                        "PortRange": e["PortRange"]} for e in stack.of("EC2::NetworkAclEntry").values()] +
           [{"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": e, "CidrBlock": "0.0.0.0/0"} for e in (True, False)]}
    log = stack.resources["FlowLog"][1]
    association = stack.resources["QueryLogOfVpc"][1]
    attribute = stack.resources["Vpc"][1]
    return {
        "describe-instances": {"Reservations": [{"Instances": [{"InstanceId": "i-01", "MetadataOptions": data["MetadataOptions"], "NetworkInterfaces": [interface]}]}]},
        "describe-flow-logs": {"FlowLogs": [{"FlowLogId": "fl-01", "ResourceId": log["ResourceId"], "TrafficType": log["TrafficType"], "FlowLogStatus": "ACTIVE",
                                             "MaxAggregationInterval": log["MaxAggregationInterval"], "DeliverLogsStatus": "SUCCESS", "LogFormat": log["LogFormat"],
                                             "LogDestination": log["LogDestination"], "LogDestinationType": log["LogDestinationType"]}]},
        "describe-security-groups": {"SecurityGroups": [{"GroupId": g, "VpcId": vpc, "IpPermissions": permissions(p.get("SecurityGroupIngress", [])),
                                                         "IpPermissionsEgress": permissions(p["SecurityGroupEgress"])}
                                                        for g, p in stack.of("EC2::SecurityGroup").items()]},
        "describe-network-acls": {"NetworkAcls": [acl]},
        "describe-route-tables": {"RouteTables": list(tables.values())},
        "describe-vpc-endpoints": {"VpcEndpoints": [{"VpcEndpointId": e, "VpcId": p["VpcId"], "ServiceName": p["ServiceName"], "PolicyDocument": json.dumps(p["PolicyDocument"])}
                                                    for e, p in stack.of("EC2::VPCEndpoint").items()]},
        "describe-vpc-attribute": {"VpcId": vpc, "EnableDnsSupport": {"Value": attribute["EnableDnsSupport"]}},
        "list-resolver-query-log-configs": {"ResolverQueryLogConfigs": [{"Id": association["ResolverQueryLogConfigId"],
                                                                         "DestinationArn": stack.resources["QueryLog"][1]["DestinationArn"]}]},
        "list-resolver-query-log-config-associations": {"ResolverQueryLogConfigAssociations": [{"ResourceId": association["ResourceId"], "Status": "ACTIVE"}]},
    }


def preflight(stack):
    with folder() as d:
        for name, answer in answers(stack).items():
            write(os.path.join(d, name + ".json"), json.dumps(answer))
        r = run("flowproof", "preflight", "--aws", d, "--collector", stack.name("CollectorAddress") + ":4739", "--json")
        return json.loads(r.expect(0, 1).out)


def change(template, path, value):
    """A copy with one thing changed; None takes it away."""
    t = copy.deepcopy(template)
    at = t
    *way, last = path
    for key in way:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return t


def main():
    build_dir()
    tap = Tap()
    with open(TEMPLATE, encoding="utf-8") as f:
        template = yaml.load(f, Loader)
    with open(os.path.join(TESTS, "platform", "cfn_spec.json"), encoding="utf-8") as f:
        spec = json.load(f)
    with tap.case("each type, property, reference and attribute is one of CloudFormation's, what is required is there"):
        equal(Checker(template, spec).faults, [])
    with tap.case("a template with one mistake is refused, each for its own"):
        log, collector = ("Resources", "FlowLog", "Properties"), ("Resources", "Collector", "Properties")
        for path, value, fault in (
                (log + ("MaxAggregationIntervall",), 60, "FlowLog.MaxAggregationIntervall: no such property"),
                (log + ("ResourceId",), None, "FlowLog.ResourceId: is required"),
                (log + ("MaxAggregationInterval",), "sixty", "'sixty' is no Integer"),
                (log + ("ResourceId",), {"Ref": "Vcp"}, "there is no Vcp"),
                (collector + ("LaunchTemplate", "Versio"), "1", "Collector.LaunchTemplate.Versio: no such property"),
                (collector + ("SubnetId",), {"Fn::GetAtt": ["CollectorSubnet", "Name"]}, "CollectorSubnet has no attribute Name"),
                (("Resources", "FlowLog", "DependsOn"), "Nothing", "depends on Nothing"),
                (("Resources", "Evidence", "DeletePolicy"), "Retain", "DeletePolicy is no attribute"),
                (("Parameters", "Spare"), {"Type": "String"}, "parameter Spare is not used"),
                (("Outputs", "VpcId", "Value"), {"Fn::Sub": "${Vpcs}"}, "there is no Vpcs")):
            faults = Checker(change(template, path, value), spec).faults
            check(len(faults) == 1 and fault in faults[0], f"{fault!r} in {faults}")
    stack = Stack(template)
    with tap.case("nothing leads out: no gateway, peering, public address or route but the endpoints', no IPv6"):
        kinds = {t.split("::")[2] for t, _ in stack.resources.values()}
        equal(kinds & set(WAYS_OUT), set(), "ways out")
        text = json.dumps(template)
        check("Ipv6" not in text and "::/0" not in text, "IPv6")
        equal([p["MapPublicIpOnLaunch"] for p in stack.of("EC2::Subnet").values()], [False, False], "public addresses")
        equal([e for e, p in stack.of("EC2::VPCEndpoint").items() if "id-SuspectRoutes" in p.get("RouteTableIds", [])], [], "endpoints in the suspect's table")
    with tap.case("the suspect's walls let through the collector's port and nothing else; the conversion group all, for its step"):
        collector = stack.name("CollectorAddress")
        equal({(r["IpProtocol"], r["FromPort"], r["ToPort"], r["CidrIp"]) for r in stack.resources["QuarantineGroup"][1]["SecurityGroupEgress"]},
              {("tcp", 4739, 4739, collector + "/32"), ("udp", 4739, 4739, collector + "/32")}, "egress")
        check("SecurityGroupIngress" not in stack.resources["QuarantineGroup"][1], "ingress")
        equal({e["CidrBlock"] for e in stack.of("EC2::NetworkAclEntry").values()}, {collector + "/32"}, "network ACL")
        check(ipaddress.ip_address(collector) in ipaddress.ip_network(stack.name("CollectorCidr")), "the collector's address")
        opened = [g for g, p in stack.of("EC2::SecurityGroup").items() if any(r.get("CidrIp") == "0.0.0.0/0" for r in p["SecurityGroupEgress"])]
        equal(opened, ["id-ConversionGroup"], "groups that are open")
    with tap.case("Flow Logs: every field up to version 5, 60 s, all traffic, into a locked bucket; queries beside them; DNS answers none but the endpoints' names"):
        log = stack.resources["FlowLog"][1]
        equal(re.findall(r"\$\{([a-z-]+)\}", log["LogFormat"]), V5, "fields")
        equal((log["MaxAggregationInterval"], log["TrafficType"]), (60, "ALL"))
        lock = stack.resources["Evidence"][1]["ObjectLockConfiguration"]
        equal(lock["Rule"]["DefaultRetention"], {"Mode": "GOVERNANCE", "Days": 365}, "lock")
        rules = sorted(stack.resources["DnsFirewall"][1]["FirewallRules"], key=lambda r: r["Priority"])
        equal([(r["Action"], r["FirewallDomainListId"]) for r in rules], [("ALLOW", "id-DnsOfEndpoints"), ("BLOCK", "id-DnsOfAll")], "firewall")
        equal(stack.resources["DnsOfAll"][1]["Domains"], ["*"], "what is blocked")
        services = {p["ServiceName"].split(".")[-1] for p in stack.of("EC2::VPCEndpoint").values()}
        equal({n.split(".eu-west-1")[0].split(".")[-1] for n in stack.resources["DnsOfEndpoints"][1]["Domains"]}, services, "names of endpoints")
    with tap.case("IMDSv2 alone, one hop; the suspect has neither role nor key"):
        for name in ("CollectorTemplate", "SuspectTemplate"):
            equal(stack.resources[name][1]["LaunchTemplateData"]["MetadataOptions"],
                  {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}, name)
        check(not {"IamInstanceProfile", "KeyName"} & stack.resources["SuspectTemplate"][1]["LaunchTemplateData"].keys(), "role or key")
    with tap.case("preflight has nothing against this room"):
        out = preflight(stack)
        bad = [(c["check"], c["subject"], c["status"], c["text"]) for c in out["checks"] if c["status"] != "fine" and c["check"] != "tracked_connections"]
        equal(bad, [], "checks")
        check(len(out["checks"]) > 12, f"{len(out['checks'])} checks")
    with tap.case("and it sees where the room is opened"):
        group = ("Resources", "QuarantineGroup", "Properties", "SecurityGroupEgress", 0, "CidrIp")
        log = ("Resources", "FlowLog", "Properties", "TrafficType")
        for path, value, name in ((group, "0.0.0.0/0", "egress_open"), (log, "ACCEPT", "flow_log_traffic"),
                                  (("Resources", "QueryLogOfVpc", "Properties", "ResourceId"), "vpc-other", "dns_unlogged")):
            out = preflight(Stack(change(template, path, value)))
            check(name in {c["check"] for c in out["checks"] if c["status"] == "bad"}, f"{name} is not told")
    tap.done()


if __name__ == "__main__":
    main()
