// SPDX-License-Identifier: Apache-2.0
/*
 * The detectors, in the order in which they judge.
 */
#include "evidence/detect.h"

const struct detector *const detectors[] = {
	&detect_unexpected, &detect_port,   &detect_doh,      &detect_icmp,
	&detect_protocol,   &detect_volume, &detect_drip,     &detect_scan,
	&detect_watch,      &detect_dns,    &detect_metadata, &detect_beacon,
	&detect_spread,     &detect_log,    &detect_blinding, NULL,
};
