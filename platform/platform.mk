# SPDX-License-Identifier: Apache-2.0
# What brings the programs to a machine: packages, and the tests of all of it.

# ---- packages ----------------------------------------------------------------------------------------
# The time that files in packages bear: of the last change.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
PACKAGES := $(O)/packages
package = VERSION=$(VERSION) sh scripts/package.sh $(1) $(TRIPLET) $(PACKAGES) $(O)/$(TRIPLET)/flowproof-sensor $(2)
full = $(addprefix $(O)/$(1)/full/,flowproof-collector flowproof)
.PHONY: deb rpm
# Debian: the sensor static, all else with the system's libraries; for another processor the sensor alone.
deb: static
	@sh scripts/deps.sh pack
	$(Q)$(if $(CROSS),,$(MAKE) --no-print-directory programs)
	$(Q)$(call package,deb,$(if $(CROSS),,$(O)/flowproof-collector $(O)/flowproof))
# Amazon Linux 2023 has not all the libraries: static as well.
rpm: static full-config
	@sh scripts/deps.sh pack
	+$(Q)$(call submake,$(TRIPLET),$(TRIPLET)/full) FULL=1 KCONFIG_CONFIG=$(abspath $(O))/full/config programs
	$(Q)$(call package,rpm,$(call full,$(TRIPLET)))

# ---- appliance ---------------------------------------------------------------------------------------
# Of the appliance's own configuration; keys come in an archive behind it (platform/appliance/pack).
APPLIANCE := $(or $(TRIPLET-$(CROSS)),$(TRIPLET-armhf))
KERNEL-$(TRIPLET-armhf) := armhf $(or $(KERNEL_SUITE),bookworm) $(or $(KERNEL_PACKAGE),linux-image-armmp)
KERNEL-$(TRIPLET-arm64) := arm64 $(or $(KERNEL_SUITE),bookworm) $(or $(KERNEL_PACKAGE),linux-image-arm64)
image-of = kernel=$$(sh scripts/deps-static.sh kernel $(KERNEL-$(1))) && cp "$$kernel" $(O)/$(1)/appliance-vmlinuz && \
	$(PY3) platform/appliance/pack $(O)/$(1)/appliance.cpio.gz init=$(O)/appliance/$(1)/platform/appliance/init \
	sensor=$(O)/appliance/$(1)/flowproof-sensor modules/="$$kernel.modules"
appliance-of = $(call submake,$(1),appliance/$(1)) KCONFIG_CONFIG=$(O)/appliance/config $(O)/appliance/$(1)/flowproof-sensor \
	$(O)/appliance/$(1)/platform/appliance/init && mkdir -p $(O)/$(1) && $(call image-of,$(1))
.PHONY: appliance-image
appliance-image: appliance-config
	@sh scripts/deps.sh build static $(or $(CROSS),armhf)
	@sh scripts/deps-static.sh build $(APPLIANCE)
	+$(Q)$(call appliance-of,$(APPLIANCE))
	@ls -l $(O)/$(APPLIANCE)/appliance.cpio.gz $(O)/$(APPLIANCE)/appliance-vmlinuz
ifdef STATIC
$(O)/platform/appliance/init: $(call objects,platform/appliance/init platform/clock)
	$(call say,LINK,$@)
	$(link)
	$(Q)$(STATIC)-strip -s -R .comment $@
endif

# ---- tests -------------------------------------------------------------------------------------------
PLATFORM := $(NATIVE) $(TRIPLET-arm64)
.PHONY: test-platform test-boot
test-platform: static-base
	@sh scripts/deps.sh armhf arm64 pack boot
	@sh scripts/deps-static.sh build $(TRIPLET-arm64) $(TRIPLET-armhf)
	+$(Q)for t in $(PLATFORM); do $(call submake,$$t,$$t) $(O)/$$t/flowproof-sensor && \
		$(call submake,$$t,$$t/full) FULL=1 KCONFIG_CONFIG=$(abspath $(O))/full/config programs || exit 1; done
	+$(Q)$(call appliance-of,$(TRIPLET-armhf)) && $(call appliance-of,$(TRIPLET-arm64))
	$(Q)VERSION=$(VERSION) $(PY3) tests/run.py $(O) $(addprefix --suite tests/platform/suite_,$(addsuffix .py,$(or $(SUITES),systemd units template appliance packages installer userdata guide)))
test-boot:
	+$(Q)$(MAKE) --no-print-directory SUITES=appliance test-platform
