// SPDX-License-Identifier: Apache-2.0
/*
 * send_frames INTERFACE FILE COUNT RATE   Puts the frames of a capture on an interface, again and again until there were COUNT,
 * RATE a second (0: as many as can be). Prints how many went and the seconds that it took.
 *
 * Frames are padded to what they were on the wire: sixty at a time with sendmmsg(2), past the queueing discipline
 * (packet(7)).
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>

enum { FRAMES = 65536, BATCH = 60, FRAME = 1514 };

static uint8_t (*frames)[FRAME];
static uint32_t lengths[FRAMES];

static size_t load(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, why);
	struct pcap_pkthdr *head;
	const uint8_t *data;
	size_t n = 0;

	frames = calloc(FRAMES, sizeof *frames);
	if (!p || !frames)
		return 0;
	while (n < FRAMES && pcap_next_ex(p, &head, &data) == 1) {
		lengths[n] = head->len < FRAME ? head->len : FRAME;
		memcpy(frames[n], data, head->caplen < FRAME ? head->caplen : FRAME);
		n++;
	}
	pcap_close(p);
	return n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_interface(const char *name)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) != 0)
		return -1;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
	return fd;
}

int main(int argc, char **argv)
{
	static struct mmsghdr msgs[BATCH];
	static struct iovec parts[BATCH];
	unsigned long count, sent = 0;
	double rate, begin;
	size_t n;
	int fd;

	if (argc != 5)
		return 2;
	count = strtoul(argv[3], NULL, 10);
	rate = strtod(argv[4], NULL);
	n = load(argv[2]);
	fd = open_interface(argv[1]);
	if (!n || fd < 0)
		return 3;
	for (size_t i = 0; i < BATCH; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = parts + i, .msg_iovlen = 1};
	begin = now();
	while (sent < count) {
		unsigned batch = 0;
		int went;

		for (; batch < BATCH && sent + batch < count; batch++)
			parts[batch] = (struct iovec){frames[(sent + batch) % n],
						      lengths[(sent + batch) % n]};
		went = sendmmsg(fd, msgs, batch, 0);
		if (went <= 0)
			return 3;
		sent += (unsigned long)went;
		while (rate > 0 && (now() - begin) * rate < (double)sent) {
			double wait = (double)sent / rate - (now() - begin);
			struct timespec t = {.tv_nsec = (long)(wait * 1e9)};

			if (wait > 0 && wait < 1)
				nanosleep(&t, NULL);
		}
	}
	printf("%lu %.3f\n", sent, now() - begin);
	return 0;
}
