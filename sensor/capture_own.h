// SPDX-License-Identifier: Apache-2.0
/*
 * capture_own: by which hardware address frames that this machine sends can be told, whatever their IP header claims.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CAPTURE_OWN_ADDRESS = 6 };

/* The address of an Ethernet interface. False if it has none, or if the machine forwards packets by it: those of others bear the
 * address too. Before the sandbox: it asks the kernel and reads below /proc/sys/net. */
bool capture_own_address(const char *interface, uint8_t ret[static CAPTURE_OWN_ADDRESS]);
