// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof policy: what a policy says, and what it would say of what was recorded.
 */
#pragma once

int policy_main(int argc, char **argv);
