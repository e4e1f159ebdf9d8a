// SPDX-License-Identifier: Apache-2.0
/*
 * `flowproof pki`: the CA and the certificates of collector and sensors.
 */
#pragma once

/* argv[0] is "pki", argv[1] the action. Exit status: 0, 2 usage, 3 failed. */
int pki_main(int argc, char **argv);
