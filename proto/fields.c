// SPDX-License-Identifier: Apache-2.0
/*
 * The field table: every name a record can be printed under, in the order of the versions that
 * brought them.
 *
 * Source: Amazon VPC User Guide, "Flow log records", "Available fields". A new field is a row here,
 * a constant in flowrec.h and, if it is not a text of the identity, a case in flowrec_text.c.
 */
#include "proto/flowrec.h"

#define NUM FLOWREC_KIND_NUMBER
#define STR FLOWREC_KIND_STRING

const struct flowrec_field_info flowrec_fields[FLOWREC_FIELDS] = {
	[FLOWREC_F_VERSION] = {"version", 2, NUM, true, "highest version among the fields chosen"},
	[FLOWREC_F_ACCOUNT_ID] = {"account-id", 2, STR, true,
				  "owner of the interface, from the configuration"},
	[FLOWREC_F_INTERFACE_ID] = {"interface-id", 2, STR, true,
				    "eni-..., from the configuration"},
	[FLOWREC_F_SRCADDR] = {"srcaddr", 2, STR, false, "source address"},
	[FLOWREC_F_DSTADDR] = {"dstaddr", 2, STR, false, "destination address"},
	[FLOWREC_F_SRCPORT] = {"srcport", 2, NUM, false,
			       "source port; 0 where the protocol has none"},
	[FLOWREC_F_DSTPORT] = {"dstport", 2, NUM, false,
			       "destination port; 0 where the protocol has none"},
	[FLOWREC_F_PROTOCOL] = {"protocol", 2, NUM, false, "IANA protocol number"},
	[FLOWREC_F_PACKETS] = {"packets", 2, NUM, false,
			       "packets of this direction in this window"},
	[FLOWREC_F_BYTES] = {"bytes", 2, NUM, false, "sum of IP total lengths"},
	[FLOWREC_F_START] = {"start", 2, NUM, true, "Unix seconds of the first packet"},
	[FLOWREC_F_END] = {"end", 2, NUM, true, "Unix seconds of the last packet"},
	[FLOWREC_F_ACTION] = {"action", 2, STR, false, "ACCEPT or REJECT"},
	[FLOWREC_F_LOG_STATUS] = {"log-status", 2, STR, true, "OK, NODATA or SKIPDATA"},
	[FLOWREC_F_VPC_ID] = {"vpc-id", 3, STR, true,
			      "VPC of the interface, from the configuration"},
	[FLOWREC_F_SUBNET_ID] = {"subnet-id", 3, STR, true,
				 "subnet of the interface, from the configuration"},
	[FLOWREC_F_INSTANCE_ID] = {"instance-id", 3, STR, true, "i-..., from the configuration"},
	[FLOWREC_F_TCP_FLAGS] = {"tcp-flags", 3, NUM, false,
				 "OR of FIN 1, SYN 2, RST 4, SYN-ACK 18"},
	[FLOWREC_F_TYPE] = {"type", 3, STR, false, "IPv4 or IPv6"},
	[FLOWREC_F_PKT_SRCADDR] = {"pkt-srcaddr", 3, STR, false,
				   "source address in the packet; a host sees no other"},
	[FLOWREC_F_PKT_DSTADDR] = {"pkt-dstaddr", 3, STR, false,
				   "destination address in the packet"},
	[FLOWREC_F_REGION] = {"region", 4, STR, true, "from the configuration"},
	[FLOWREC_F_AZ_ID] = {"az-id", 4, STR, true, "Availability Zone ID, from the configuration"},
	[FLOWREC_F_SUBLOCATION_TYPE] = {"sublocation-type", 4, STR, true, "from the configuration"},
	[FLOWREC_F_SUBLOCATION_ID] = {"sublocation-id", 4, STR, true, "from the configuration"},
	[FLOWREC_F_PKT_SRC_AWS_SERVICE] = {"pkt-src-aws-service", 5, STR, false,
					   "not known to a host: -"},
	[FLOWREC_F_PKT_DST_AWS_SERVICE] = {"pkt-dst-aws-service", 5, STR, false,
					   "not known to a host: -"},
	[FLOWREC_F_FLOW_DIRECTION] = {"flow-direction", 5, STR, false,
				      "ingress or egress, by the local addresses"},
	[FLOWREC_F_TRAFFIC_PATH] = {"traffic-path", 5, NUM, false, "not known to a host: -"},
	[FLOWREC_F_FP_SENSOR] = {"fp-sensor", 0, STR, true, "id of the sensor"},
	[FLOWREC_F_FP_INTERFACE] = {"fp-interface", 0, STR, true, "name of the device"},
	[FLOWREC_F_FP_INITIATOR] = {"fp-initiator", 0, STR, false,
				    "src or dst: the side that began the flow"},
	[FLOWREC_F_FP_VERDICT] = {"fp-verdict", 0, STR, false,
				  "expected, watched, unexpected_egress or unexpected_inbound"},
	[FLOWREC_F_FP_RULE] = {"fp-rule", 0, STR, false, "name of the policy rule that decided"},
	[FLOWREC_F_FP_OUTCOME] =
		{"fp-outcome", 0, STR, false,
		 "how far the flow got: sent, unanswered, refused, answered, data_out"},
};
