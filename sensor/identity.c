// SPDX-License-Identifier: Apache-2.0
/*
 * identity: see identity.h. Addresses by platform/ifaddr, the boot id from /proc.
 */
#include "sensor/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/config.h"
#include "platform/ifaddr.h"
#include "platform/log.h"

enum { READ_TRIES = 3 }; /* while addresses change under the reading */

static void add(struct cidr *list, size_t *n, const struct cidr *cidr)
{
	for (size_t i = 0; i < *n; i++)
		if (memcmp(&list[i], cidr, sizeof *cidr) == 0)
			return;
	if (*n < IDENTITY_ADDRESSES_MAX)
		list[(*n)++] = *cidr;
	else
		log_warn("identity", "more than %d addresses; the rest is not taken for local",
			 IDENTITY_ADDRESSES_MAX);
}

/* What one reading of the interfaces gave so far. */
struct reading {
	struct cidr local[IDENTITY_ADDRESSES_MAX], subnets[IDENTITY_ADDRESSES_MAX];
	size_t n_local, n_subnets;
};

static void on_address(void *ctx, const struct cidr *address, bool loopback)
{
	struct reading *r = ctx;
	struct cidr local = *address, subnet = *address;

	local.bits = address->family == 4 ? 32 : 128;
	add(r->local, &r->n_local, &local);
	if (loopback)
		return;
	for (unsigned bit = subnet.bits; bit < local.bits; bit++)
		subnet.addr.b[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
	add(r->subnets, &r->n_subnets, &subnet);
}

void identity_refresh(struct identity *id)
{
	struct reading now;
	int rc = -EAGAIN;

	if (!IS_ENABLED(CONFIG_LIVE) || !id->source)
		return;
	for (int turn = 0; turn < READ_TRIES && rc == -EAGAIN; turn++) {
		now.n_local = now.n_subnets = 0;
		rc = ifaddr_read(id->source, on_address, &now);
	}
	if (rc < 0) {
		log_warn("identity", "cannot read the interfaces' addresses, keeping the old ones");
		return;
	}
	memcpy(id->local, now.local, now.n_local * sizeof now.local[0]);
	memcpy(id->subnets, now.subnets, now.n_subnets * sizeof now.subnets[0]);
	id->n_local = now.n_local;
	id->n_subnets = now.n_subnets;
}

static void read_boot_id(char out[static 40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 36);

	out[n == 36 ? 36 : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

int identity_init(struct identity *ret, const struct options *o, struct rtnl *rtnl, struct err *err)
{
	*ret = (struct identity){.fixed = o->read != NULL || o->local.n > 0};
	read_boot_id(ret->boot_id);
	for (size_t i = 0; i < o->n_local; i++) {
		add(ret->local, &ret->n_local, &o->local_cidr[i]);
		add(ret->subnets, &ret->n_subnets, &o->local_cidr[i]);
	}
	if (IS_ENABLED(CONFIG_LIVE) && !ret->fixed) {
		if (!rtnl)
			return err_set(err, -EIO,
				       "cannot ask the kernel for addresses; give --local");
		ret->source = rtnl;
	}
	identity_refresh(ret);
	return 0;
}

bool identity_is_local(const struct identity *id, uint8_t family, const struct addr *addr)
{
	/* Before DHCP and duplicate address detection are done a machine has no other. */
	if (addr_is_unspecified(addr))
		return true;
	for (size_t i = 0; i < id->n_local; i++)
		if (cidr_has(&id->local[i], family, addr))
			return true;
	return false;
}

int identity_check_interface(const char *name, struct err *err)
{
	struct if_nameindex *all = if_nameindex();
	char names[200] = "";
	size_t used = 0;
	bool found = false;

	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		found = found || strcmp(i->if_name, name) == 0;
		if (used < sizeof names - IF_NAMESIZE - 1)
			used += (size_t)snprintf(names + used, sizeof names - used, " %s",
						 i->if_name);
	}
	if_freenameindex(all);
	/* "any" is libpcap's word for all of them. */
	if (found || strcmp(name, "any") == 0)
		return 0;
	return err_set(err, ERR_USAGE, "--interface %s: there is none of this name; there are:%s",
		       name, names);
}
