// SPDX-License-Identifier: Apache-2.0
/*
 * /init of the appliance: all of its userland but the sensor, which is its only child. No shell, nothing that listens.
 *
 * What it is told stands on the kernel's command line (/proc/cmdline), a word each, without blanks:
 *
 *   flowproof.address=[IF=]ADDR/LEN   an IPv4 address; IF is eth0 where it is left out. May be repeated, as may the next
 *   flowproof.gateway=ADDR            default route
 *   flowproof.NAME[=VALUE]            handed to the sensor as --NAME[=VALUE]: flowproof.collector=..., flowproof.id=...
 *   flowproof.self-test               the sensor tries its sandbox first
 *
 * Keys come in a second archive behind the image: whatever of sensor.conf, policy, ca.crt, sensor.crt and sensor.key is in
 * /flowproof is given to the sensor; platform/appliance/pack makes such an archive.
 *
 * A sensor that ends for another reason than being told to is started again, after 1 second, then 2, 4, ... 64; one that ran
 * for a minute begins anew at 1. After RESTARTS in a row the machine starts again; settings that the sensor does not take switch
 * it off. A line "off" or "reboot" on the console, SIGUSR2 (off), SIGTERM or SIGINT (reboot) end the sensor, which delivers what it
 * has, and then the machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"

enum {
	ARGS_MAX = 64,
	MODULES_MAX = 16,
	RESTARTS = 10,
	STEADY_S = 60,     /* ran so long: whatever was wrong is over */
	ENDING_S = 30,     /* the sensor's time to deliver, before it is killed */
	CARD_WAIT_S = 10,  /* for an interface to appear */
	CONFIGURATION = 2, /* the sensor's exit status for what no second try mends */
};

static const char sensor_path[] = "/sensor";
static char cmdline[4096];
static char *args[ARGS_MAX + 1];
static int n_args;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list list;

	fputs("appliance: ", stdout);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
}

/* ---- the machine ---- */

static void mounts(void)
{
	static const struct {
		const char *at, *type;
	} rows[] = {{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		(void)mkdir(rows[i].at, 0755);
		(void)mount(rows[i].type, rows[i].at, rows[i].type, MS_NOSUID | MS_NOEXEC, NULL);
	}
	/* What the kernel gave us lies below the new /dev. */
	for (int fd = open("/dev/console", O_RDWR | O_NOCTTY); fd >= 0 && fd < 2;)
		fd = dup(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Modules lie in /modules, named after their order. */
static void modules(void)
{
	for (int n = 1; n <= MODULES_MAX; n++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof path, "/modules/%d.ko", n);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
			say("%s: %s", path, strerror(errno));
		close(fd);
	}
}

/* Without a clock of its own the machine starts in 1970, before any certificate began. The time of this file is that of the image: later
 * than it, for certain. */
static void clock_at_least(void)
{
	struct stat image;

	if (stat("/init", &image) != 0 ||
	    (int64_t)(clock_wall_ns() / NS_PER_S) >= image.st_mtim.tv_sec)
		return;
	say(clock_settime(CLOCK_REALTIME, &image.st_mtim) == 0
		    ? "the clock stood before this image was made: set to that time; records bear "
		      "wrong times"
		    : "the clock is wrong and cannot be set");
}

/* ---- interfaces ---- */

static struct ifreq *named(struct ifreq *r, const char *name)
{
	memset(r->ifr_name, 0, sizeof r->ifr_name);
	memcpy(r->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	return r;
}

static bool link_up(int fd, const char *name)
{
	struct ifreq r = {.ifr_flags = 0};
	int tries = CARD_WAIT_S * 10;

	while (ioctl(fd, SIOCGIFFLAGS, named(&r, name)) != 0 && tries-- > 0)
		(void)poll(NULL, 0, 100);
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, named(&r, name)) == 0;
}

static void put_address(struct sockaddr *to, struct in_addr address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};

	memcpy(to, &in, sizeof in);
}

/* "[IF=]ADDR/LEN" */
static bool add_address(int fd, const char *text)
{
	const char *equal = strchr(text, '='), *slash = strchr(text, '/');
	char name[IFNAMSIZ] = "eth0", address[INET_ADDRSTRLEN];
	struct in_addr in, mask;
	struct ifreq r = {.ifr_flags = 0};
	char *end;
	unsigned long bits;

	if (equal) {
		(void)snprintf(name, sizeof name, "%.*s", (int)(equal - text), text);
		text = equal + 1;
	}
	if (!slash || slash - text >= INET_ADDRSTRLEN)
		return false;
	(void)snprintf(address, sizeof address, "%.*s", (int)(slash - text), text);
	bits = strtoul(slash + 1, &end, 10);
	if (inet_pton(AF_INET, address, &in) != 1 || *end || end == slash + 1 || bits < 1 ||
	    bits > 32)
		return false;
	mask.s_addr = htonl(0xffffffffU << (32 - bits));
	if (!link_up(fd, name))
		return false;
	put_address(&r.ifr_addr, in);
	if (ioctl(fd, SIOCSIFADDR, named(&r, name)) != 0)
		return false;
	put_address(&r.ifr_netmask, mask);
	return ioctl(fd, SIOCSIFNETMASK, named(&r, name)) == 0;
}

static bool add_gateway(int fd, const char *text)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct in_addr gateway;

	if (inet_pton(AF_INET, text, &gateway) != 1)
		return false;
	put_address(&route.rt_dst, (struct in_addr){0});
	put_address(&route.rt_genmask, (struct in_addr){0});
	put_address(&route.rt_gateway, gateway);
	return ioctl(fd, SIOCADDRT, &route) == 0;
}

/* ---- the command line ---- */

static void add_arg(char *arg)
{
	if (n_args < ARGS_MAX)
		args[n_args++] = arg;
	else
		say("more than %d settings; left out: %s", ARGS_MAX, arg);
}

static void add_option(const char *name, const char *value)
{
	char *both = NULL;

	if (asprintf(&both, "--%s%s%s", name, value ? "=" : "", value ? value : "") > 0)
		add_arg(both);
}

static void read_cmdline(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, cmdline, sizeof cmdline - 1);

	if (fd >= 0)
		close(fd);
	cmdline[n > 0 ? n : 0] = '\0';
}

static void take_files(void)
{
	static const struct {
		const char *option, *path;
	} rows[] = {
		{"config", "/flowproof/sensor.conf"}, {"policy", "/flowproof/policy"},
		{"ca", "/flowproof/ca.crt"},          {"cert", "/flowproof/sensor.crt"},
		{"key", "/flowproof/sensor.key"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (access(rows[i].path, F_OK) == 0)
			add_option(rows[i].option, rows[i].path);
}

/* Sets interfaces up as well: those that the sensor is to watch, and those with an address. */
static void take_word(int fd, const char *word, const char *value, bool *self_test)
{
	bool done = true;

	errno = 0;
	if (strcmp(word, "address") == 0) {
		done = value && add_address(fd, value);
	} else if (strcmp(word, "gateway") == 0) {
		done = value && add_gateway(fd, value);
	} else if (strcmp(word, "self-test") == 0) {
		*self_test = true;
	} else {
		if (strcmp(word, "interface") == 0)
			done = value && link_up(fd, value);
		add_option(word, value);
	}
	if (!done)
		say("%s=%s: %s", word, value ? value : "",
		    errno ? strerror(errno) : "not understood");
}

/* True: the sandbox is to be tried first. */
static bool take(void)
{
	static const char prefix[] = "flowproof.";
	static char name[] = "sensor";
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool self_test = false;
	char *rest = cmdline;

	add_arg(name);
	take_files();
	(void)link_up(fd, "lo");
	for (char *word; (word = strsep(&rest, " \n"));) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (strncmp(word, prefix, sizeof prefix - 1) == 0)
			take_word(fd, word + sizeof prefix - 1, value, &self_test);
	}
	close(fd);
	return self_test;
}

/* ---- the sensor ---- */

static pid_t start(char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)execv(sensor_path, argv);
		_exit(127);
	}
	return pid;
}

static void ended(int status)
{
	if (WIFEXITED(status))
		say("the sensor ended: exit %d", WEXITSTATUS(status));
	else
		say("the sensor ended: signal %d", WTERMSIG(status));
}

static void self_test(void)
{
	static char name[] = "sensor", option[] = "--self-test";
	char *const argv[] = {name, option, NULL};
	pid_t pid = start(argv);
	int status = 0;

	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		ended(status);
}

/* ---- the run ---- */

struct run {
	pid_t pid;                      /* 0: it does not run */
	unsigned in_a_row;              /* ends that nobody wanted */
	int64_t started, next, kill_at; /* seconds of uptime */
	int end; /* 0, RB_POWER_OFF or RB_AUTOBOOT: the machine ends when the sensor has */
};

static int64_t uptime(void)
{
	return (int64_t)(clock_mono_ns() / NS_PER_S);
}

static void end(struct run *r, int how)
{
	if (r->end)
		return;
	r->end = how;
	r->kill_at = uptime() + ENDING_S;
	if (r->pid)
		(void)kill(r->pid, SIGTERM);
}

static void sensor_ended(struct run *r, int status)
{
	int64_t now = uptime();
	unsigned wait = 1;

	ended(status);
	r->pid = 0;
	if (r->end)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return end(r, RB_POWER_OFF);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CONFIGURATION) {
		say("its settings are wrong: no second try");
		return end(r, RB_POWER_OFF);
	}
	r->in_a_row = now - r->started >= STEADY_S ? 1 : r->in_a_row + 1;
	if (r->in_a_row > RESTARTS) {
		say("%d restarts in a row: the machine starts again", RESTARTS);
		return end(r, RB_AUTOBOOT);
	}
	for (unsigned n = 1; n < r->in_a_row && wait < 64; n++)
		wait *= 2;
	r->next = now + wait;
	say("restart %u of %d in %u s", r->in_a_row, RESTARTS, wait);
}

static void on_signal(struct run *r, int fd)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		end(r, RB_AUTOBOOT);
	else if (info.ssi_signo == SIGUSR2)
		end(r, RB_POWER_OFF);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == r->pid)
			sensor_ended(r, status);
}

/* False: there is no console any more. */
static bool on_console(struct run *r)
{
	char line[64];
	ssize_t n = read(0, line, sizeof line - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, "off") == 0)
		end(r, RB_POWER_OFF);
	else if (strcmp(line, "reboot") == 0)
		end(r, RB_AUTOBOOT);
	else if (line[0])
		say("off and reboot are what can be said here");
	return true;
}

static int run(void)
{
	struct run r = {.pid = 0};
	struct pollfd p[2] = {{.fd = -1, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	sigset_t set;

	sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD), (void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT), (void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	p[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
	while (!r.end || r.pid) {
		if (!r.pid && !r.end && uptime() >= r.next) {
			r.started = uptime();
			r.pid = start(args);
		}
		if (r.end && r.pid && uptime() >= r.kill_at)
			(void)kill(r.pid, SIGKILL);
		if (poll(p, 2, r.pid && !r.end ? -1 : 200) <= 0)
			continue;
		if (p[0].revents)
			on_signal(&r, p[0].fd);
		if (p[1].revents && !on_console(&r))
			p[1].fd = -1;
	}
	return r.end;
}

int main(void)
{
	struct utsname kernel;
	bool try_first;
	int how;

	mounts();
	if (uname(&kernel) == 0)
		say("Linux %s %s", kernel.release, kernel.machine);
	modules();
	clock_at_least();
	read_cmdline();
	try_first = take();
	if (try_first)
		self_test();
	how = run();
	say(how == RB_POWER_OFF ? "switching off" : "starting again");
	sync();
	(void)reboot(how);
	return 0;
}
