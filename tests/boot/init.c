// SPDX-License-Identifier: Apache-2.0
/*
 * /init of the machine that suite_boot.py boots: no shell, no other program but flowproof's. It prints what each says and
 * how each ends ("== NAME: exit N"), and switches the machine off.
 *
 * Live capture on lo, streamed to a collector on lo: a datagram is sent once the sensor is connected, and again until the
 * sensor has raised its alert.
 */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	const char *name;
	pid_t pid;
	FILE *said; /* both outputs */
};

static struct child start(const char *name, const char *const argv[])
{
	struct child c = {.name = name};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		_exit(1);
	c.pid = fork();
	if (c.pid == 0) {
		(void)dup2(ends[1], 1);
		(void)dup2(ends[1], 2);
		/* execv(3) keeps its hands off them, whatever its type says. */
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(ends[1]);
	c.said = fdopen(ends[0], "r");
	return c;
}

/* Passes lines on until one has `word` (true) or there is none any more; NULL: all. */
static int pass_on(struct child *c, const char *word)
{
	char line[1024];

	while (fgets(line, sizeof line, c->said)) {
		printf("%s| %s", c->name, line);
		if (word && strstr(line, word))
			return 1;
	}
	return 0;
}

static void finish(struct child *c)
{
	int status = 0;

	(void)pass_on(c, NULL);
	(void)waitpid(c->pid, &status, 0);
	printf("== %s: %s %d\n", c->name, WIFEXITED(status) ? "exit" : "signal",
	       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void run(const char *name, const char *const argv[])
{
	struct child c = start(name, argv);

	finish(&c);
}

static void lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(s, SIOCSIFFLAGS, &r) != 0)
		puts("== lo: cannot be brought up");
	close(s);
}

/* A datagram each time the sensor has been silent for 200 ms, until it speaks of one. */
static void provoke(struct child *sensor)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct pollfd p = {.fd = fileno(sensor->said), .events = POLLIN};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setvbuf(sensor->said, NULL, _IONBF, 0);
	for (int n = 0; n < 100; n++) {
		(void)sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
		if (poll(&p, 1, 200) > 0 && pass_on(sensor, "unexpected egress"))
			break;
	}
	close(s);
}

static void live(void)
{
	struct child collector = start(
		"collector", (const char *[]){"/collector", "-d", "/store", "-l", "127.0.0.1:4739",
					      "--ca", "/ca.crt", "--cert", "/collector.crt",
					      "--key", "/collector.key", NULL});
	struct child sensor;

	if (!pass_on(&collector, "listening on"))
		return finish(&collector);
	sensor = start("sensor", (const char *[]){"/sensor", "-i", "lo", "-s", "127.0.0.1:4739",
						  "--id", "i-boot", "--ca", "/ca.crt", "--cert",
						  "/i-boot.crt", "--key", "/i-boot.key", NULL});
	if (pass_on(&sensor, "uplink: connected"))
		provoke(&sensor);
	(void)kill(sensor.pid, SIGTERM);
	finish(&sensor);
	(void)kill(collector.pid, SIGTERM);
	finish(&collector);
	run("records", (const char *[]){"/flowproof", "records", "-d", "/store", NULL});
}

int main(void)
{
	struct utsname kernel;

	(void)mkdir("/proc", 0755), (void)mkdir("/sys", 0755), (void)mkdir("/dev", 0755),
		(void)mkdir("/store", 0700);
	(void)mount("proc", "/proc", "proc", 0, NULL);
	(void)mount("sysfs", "/sys", "sysfs", 0, NULL);
	(void)mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	(void)mount("tmpfs", "/store", "tmpfs", 0, NULL);
	for (int fd = open("/dev/console", O_RDWR); fd >= 0 && fd < 2;)
		fd = dup(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (uname(&kernel) == 0)
		printf("== kernel: %s %s\n", kernel.release, kernel.machine);
	lo_up();
	run("self-test", (const char *[]){"/sensor", "--self-test", NULL});
	run("replay", (const char *[]){"/sensor", "-r", "/in.pcap", "-o", "-", NULL});
	live();
	puts("== all: exit 0");
	sync();
	(void)reboot(RB_POWER_OFF);
	return 0;
}
