// SPDX-License-Identifier: Apache-2.0
/*
 * bare_loop FILE   The floor of the benchmark: libpcap hands each frame to a callback that counts
 * it.
 */
#include <stdio.h>

#include <pcap/pcap.h>

struct sum {
	unsigned long packets, bytes;
};

static void count(unsigned char *user, const struct pcap_pkthdr *head, const unsigned char *data)
{
	struct sum *s = (struct sum *)(void *)user;

	(void)data;
	s->packets++;
	s->bytes += head->len;
}

int main(int argc, char **argv)
{
	char why[PCAP_ERRBUF_SIZE];
	struct sum sum = {0, 0};
	pcap_t *p = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;

	if (!p)
		return 2;
	while (pcap_dispatch(p, 4096, count, (unsigned char *)&sum) > 0)
		;
	pcap_close(p);
	printf("%lu packets, %lu bytes\n", sum.packets, sum.bytes);
	return 0;
}
