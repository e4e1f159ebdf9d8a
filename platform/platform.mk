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

# ---- tests -------------------------------------------------------------------------------------------
.PHONY: test-platform
test-platform: static-base
	@sh scripts/deps.sh arm64 pack
	@sh scripts/deps-static.sh build $(TRIPLET-arm64)
	+$(Q)$(call submake,$(NATIVE),$(NATIVE)) $(O)/$(NATIVE)/flowproof-sensor
	+$(Q)$(call submake,$(TRIPLET-arm64),$(TRIPLET-arm64)) $(O)/$(TRIPLET-arm64)/flowproof-sensor
	+$(Q)$(call submake,$(TRIPLET-arm64),$(TRIPLET-arm64)/full) FULL=1 KCONFIG_CONFIG=$(abspath $(O))/full/config programs
	$(Q)VERSION=$(VERSION) $(PY3) tests/run.py $(O) $(addprefix --suite tests/platform/suite_,$(addsuffix .py,units packages installer))
