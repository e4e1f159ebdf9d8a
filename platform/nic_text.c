// SPDX-License-Identifier: Apache-2.0
/*
 * nic: words for what is on; also for those who watch no interface.
 */
#include "platform/nic.h"

#include <string.h>

const char *nic_offload_text(char out[static NIC_OFFLOAD_TEXT], uint8_t offload)
{
	static const char *const words[] = {"tso ", "gso ", "gro ", "lro ", "gro-hw ", "udp-gso "};
	size_t len = 0;

	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		if (offload >> i & 1) {
			memcpy(out + len, words[i], strlen(words[i]));
			len += strlen(words[i]);
		}
	if (len)
		out[len - 1] = '\0';
	else
		memcpy(out, "none", 5);
	return out;
}
