# SPDX-License-Identifier: Apache-2.0
# One Makefile. `make help` lists what it can do; the object lists stand in the order of the path.

O ?= build
PY3 ?= /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=
KCONFIG_CONFIG ?= .config
export KCONFIG_CONFIG
V ?= 0
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' $(1) $(2))

VERSION := 0.1.0
SOURCE ?= $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
SOURCE := $(SOURCE)

# ---- processors --------------------------------------------------------------------------------------
# The static sensor is built in $(O)/TRIPLET by a make of its own, in which STATIC is the triplet.
MACHINE := $(shell uname -m)
TRIPLET-arm64 := aarch64-linux-gnu
TRIPLET-armhf := arm-linux-gnueabihf
TRIPLET-mips := mips-linux-gnu
TRIPLET := $(if $(CROSS),$(TRIPLET-$(CROSS)),$(MACHINE)-linux-gnu)
ifeq ($(TRIPLET),)
$(error CROSS=$(CROSS) is not known: arm64, armhf or mips)
endif

# ---- goals that need no configuration -------------------------------------------------------------
NOCONF := help deps deps-check bench-deps gauntlet deps-static static static-base test-static test-cross test-platform test-deliver test-boot full-config appliance-config deb rpm appliance-image test-browser cross-unit-% run test test-sanitize check format menuconfig olddefconfig savedefconfig \
	  allnoconfig allyesconfig alldefconfig clean distclean %_defconfig
GOALS := $(or $(MAKECMDGOALS),all)

.PHONY: all
all: programs

ifneq ($(filter-out $(NOCONF),$(GOALS)),)
include $(O)/auto.conf
endif

KCONFIG_FILES := Kconfig $(wildcard */Kconfig)

$(KCONFIG_CONFIG):
	$(call say,CONFIG,default)
	$(Q)$(PY3) -m alldefconfig Kconfig >/dev/null

# genconfig leaves unchanged files untouched: without the touch this rule would run at every make.
$(O)/auto.conf $(O)/autoconf.h &: $(KCONFIG_CONFIG) $(KCONFIG_FILES) $(wildcard configs/*_defconfig) scripts/kconfig-strict.py
	@mkdir -p $(O)
	$(Q)$(PY3) scripts/kconfig-strict.py Kconfig $(KCONFIG_CONFIG) $(O)/auto.conf $(O)/autoconf.h

menuconfig olddefconfig allnoconfig allyesconfig alldefconfig:
	$(Q)$(PY3) -m $@ Kconfig
savedefconfig:
	$(Q)$(PY3) -m savedefconfig --kconfig Kconfig --out configs/saved_defconfig
%_defconfig:
	$(Q)cp configs/$@ $(KCONFIG_CONFIG)
	$(Q)$(PY3) scripts/kconfig-strict.py Kconfig $(KCONFIG_CONFIG)

# ISA-L takes gzip apart three times as fast as zlib, where there is one.
ISAL := $(if $(STATIC),,$(wildcard /usr/include/isa-l.h))

# ---- objects ---------------------------------------------------------------------------------------
# Which program needs which folder follows the layers: platform < proto < policy < sensor;
# policy < evidence < collector, analyst (scripts/check-layers holds the includes to it).
# NAME-y: always, or when its option is on (the Kconfig files say which that are).
policy-y := $(addprefix policy/,policy_lex policy_parse policy_place policy_set policy_name policy_warn policy_match policy_quarantine)
policy-$(CONFIG_POLICY_BOUNDARY) += policy/policy_boundary
policy-$(CONFIG_POLICY_AWS) += policy/policy_aws platform/json_read
base-y := $(addprefix platform/,err text addr log clock file json settings crypto version) \
	  $(addprefix proto/,fields flowrec flowrec_text wire chain flowproof.pb-c) \
	  $(policy-y)
sandbox-y := $(addprefix platform/,sandbox sandbox_selftest)
sandbox-$(CONFIG_SECCOMP) += platform/sandbox_seccomp
sandbox-$(CONFIG_LANDLOCK) += platform/sandbox_landlock

sensor-y := $(base-y) $(sandbox-y) $(addprefix sensor/,main options options_identity confine identity capture capture_usual decode_link decode_usual decode_ip flow flow_began window \
	    record judge endpoint alert account offload pipeline pipeline_summary session memory) proto/endpoint
sensor-$(CONFIG_LIVE) += sensor/capture_own $(addprefix platform/,early rtnl ifaddr nic nic_text segments)
sensor-$(CONFIG_LINK_EXTRA) += sensor/decode_extra
sensor-$(CONFIG_IPV6) += sensor/decode_ipv6
sensor-$(CONFIG_POLICY_BOUNDARY) += sensor/crossing
sensor-$(CONFIG_MIRROR) += sensor/mirror
sensor-$(CONFIG_FRAGMENTS) += sensor/fragment
sensor-$(CONFIG_LOOP) += platform/loop platform/socket sensor/session_loop
sensor-$(CONFIG_STREAM) += platform/tls platform/tls_config platform/crypto_pem platform/crypto_sign proto/batch_write proto/endpoint_columns proto/burst_columns proto/signature \
	    $(addprefix sensor/,spool spool_ring uplink uplink_machine clockwatch session_stream)
sensor-$(CONFIG_RHYTHM) += sensor/rhythm
sensor-$(CONFIG_METRICS) += $(addprefix platform/,responder http_head metrics_text) sensor/pipeline_metrics sensor/session_metrics
sensor-$(CONFIG_HOST) += sensor/session_host
sensor-$(CONFIG_BLIND) += sensor/session_blind sensor/blind platform/taps
sensor-$(CONFIG_IMDS) += sensor/session_identity sensor/own platform/ec2/imds platform/ec2/imds_run
sensor-$(CONFIG_TAIL) += proto/logs proto/logs_write $(addprefix sensor/,spool_logs tail tail_read tail_opener session_tail)
sensor-$(CONFIG_CANARY) += sensor/canary sensor/session_canary proto/canary
sensor-$(CONFIG_NAMES) += $(addprefix sensor/,names names_out names_text names_dns names_tls names_http names_table names_asked names_stream) \
	    proto/names proto/names_write proto/dns_log
sensor-$(CONFIG_SPOOL_FILE) += sensor/spool_file sensor/spool_recover

# With neither resolver nor host files: only where the C library is linked in.
sensor-$(if $(STATIC),y) += platform/unresolved

# What follows from the ledger: the engine, then a file a detector.
findings-y := limits table beat domain known_names watch say finding finding_say finding_print finding_export peer findings findings_ask detect detect_unexpected detect_port detect_protocol detect_doh detect_icmp \
	      detect_volume detect_scan detect_watch detect_dns detect_metadata detect_beacon detect_spread detect_log detect_blinding
ledger-y := proto/endpoint_columns proto/burst_columns platform/crypto_pem platform/crypto_sign proto/batch_read proto/names_read proto/names proto/logs proto/signature \
	    $(addprefix evidence/,manifest ledger_segment ledger_sum ledger_index ledger_read replay endpoints $(findings-y))
collector-y := $(base-y) proto/canary $(sandbox-y) $(ledger-y) $(addprefix evidence/,ledger_write ledger_resume ledger_seal) \
	       platform/loop platform/socket platform/tls platform/tls_config $(addprefix collector/,main options confine child revoked canary ingest ingest_frames keep refusal_log console)
collector-$(CONFIG_ALERTS) += evidence/follow $(addprefix collector/,alerts alert_engine alert_output alert_file alert_text alert_limit alert_syslog)
collector-$(CONFIG_ALERT_SYSLOG) += collector/alert_socket
collector-$(CONFIG_ALERT_COMMAND) += collector/alert_command
collector-$(CONFIG_ALERT_CURL) += collector/alert_curl
collector-$(CONFIG_DELIVER_AWS) += platform/json_read $(addprefix collector/,sigv4 credentials aws)
collector-$(CONFIG_DELIVER_S3) += platform/crypto_md5 $(addprefix collector/,deliver_s3 s3)
collector-$(CONFIG_DELIVER_CLOUDWATCH) += $(addprefix collector/,deliver_cloudwatch cloudwatch)
collector-$(CONFIG_COLLECTOR_HTTP) += collector/http
analyst-y := $(base-y) $(ledger-y) $(addprefix evidence/,watch_alb audit audit_manifest audit_sensor audit_entries audit_heads) \
	     $(addprefix platform/,crypto_cert crypto_issuer crypto_crl) $(addprefix proto/,flowrec_json flowrec_parse endpoint dns_log) \
	     $(addprefix analyst/,main command query records logs dns events summary endpoints findings audit seal pki policy policy_check) policy/policy_print policy/import_aws policy/import_rules platform/json_read
# The static analyst is for tests of the static collector: it takes no gzip apart.
gunzip-y := $(addprefix platform/,gunzip $(if $(STATIC),,gunzip_zlib) $(if $(ISAL),gunzip_isal))
gzip-y := $(addprefix platform/,gzip $(if $(STATIC),,gzip_zlib) $(if $(ISAL),gzip_isal))
slots-y := $(gzip-y) $(addprefix evidence/,slots slots_key parquet thrift ocsf object_folder unlogged dns_pairs range)
slots-y += proto/dns_log
flowlogs-y := $(gunzip-y) platform/json_read $(addprefix evidence/,flowlogs flowlogs_line flowlogs_dress flowlogs_loose flowlogs_foreign flowlogs_source flowlogs_json)
reconcile-y := $(addprefix evidence/,spans reconcile reconcile_rows reconcile_ifaces reconcile_clock reconcile_match reconcile_logs unlogged reconcile_reasons \
	       reconcile_result reconcile_again)
analyst-y += $(slots-y) analyst/export $(flowlogs-y) $(reconcile-y) $(addprefix analyst/,progress flowlogs_input reconcile reconcile_feed reconcile_print rejects preflight) \
	     $(addprefix evidence/,rejects preflight preflight_room preflight_checks preflight_ways preflight_inventory)
verdict-y := $(addprefix evidence/,verdict verdict_table timeline hashset labels log_sums courses gather gather_facts)
html-y := $(addprefix evidence/,report_words said verdict_say html html_style html_verdict strip)
analyst-y += $(verdict-y) $(html-y) $(addprefix analyst/,report report_logs report_witness report_files report_given report_installed report_text report_json report_html report_html_more report_svg)
# The page says what a report would say: the same engine and words.
collector-$(CONFIG_PAGE) += evidence/follow proto/dns_log $(verdict-y) $(html-y) evidence/reconcile_reasons platform/web platform/http_head platform/metrics_text \
	    $(addprefix collector/,page page_process page_state page_view page_html page_serve page_guard page_metrics page_report page_text)
# What an interface has on, in words.
collector-$(CONFIG_DELIVER) += $(slots-y) platform/metrics_text $(addprefix collector/,deliver deliver_metrics delivery delivery_cursor deliver_slots)
collector-$(CONFIG_DELIVER_FILES) += collector/deliver_files
collector-$(CONFIG_JETSTREAM) += proto/batch_write proto/names_write $(addprefix collector/,relay jetstream jetstream_front jetstream_writer front writer)
collector-y += platform/nic_text
analyst-y += platform/nic_text analyst/losses

objects = $(addprefix $(O)/,$(addsuffix .o,$(1)))
sensor-objs    := $(call objects,$(sensor-y))
collector-objs := $(call objects,$(collector-y))
analyst-objs   := $(call objects,$(analyst-y))

programs-$(CONFIG_SENSOR) := flowproof-sensor
programs-$(CONFIG_COLLECTOR) += flowproof-collector
programs-$(CONFIG_ANALYST) += flowproof

comma := ,

# ---- flags -----------------------------------------------------------------------------------------
# Frames: sanitizers put a red zone around each local, and let none share its place with another.
CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 -Wswitch-enum \
	-Wimplicit-fallthrough -Wnull-dereference -Wframe-larger-than=$(if $(SANITIZE),16384,4096)
HARDEN := -fstack-protector-strong -fPIE -ffunction-sections -fdata-sections
ifdef STATIC
DEPS := $(shell sh scripts/deps-static.sh path $(STATIC))
CC := $(STATIC)-gcc -specs $(DEPS)/lib/musl-gcc.specs
CFLAGS := -Os -g
# Relocations packed, where the linker can: 23 KB on x86-64. No RELRO: musl protects it in its dynamic linker alone, and where pages may be
# of 64 KiB it is up to so many bytes of nothing in the file.
LINK_KIND := -static-pie -Wl,-z,text,-z,norelro $(if $(filter x86_64-%,$(STATIC)),-Wl$(comma)-z$(comma)pack-relative-relocs) \
	     $(if $(FULL),-L$(DEPS)/lib/full)
# Nothing unwinds; and what a build says of itself must not depend on where it was made.
HARDEN += -fno-asynchronous-unwind-tables -fno-unwind-tables -ffile-prefix-map=$(CURDIR)/= -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)/=
CPPFLAGS += -DMBEDTLS_CONFIG_FILE='<mbedtls/flowproof_config.h>' $(if $(FULL),-DFLOWPROOF_MBEDTLS_FULL)
else
LINK_KIND := -pie -Wl,-z,relro
endif
ifndef SANITIZE
HARDEN += -D_FORTIFY_SOURCE=2
endif
ifdef SANITIZE
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
CPPFLAGS += $(if $(ISAL),-DHAVE_ISAL) $(if $(STATIC),,-DHAVE_ZLIB)
CPPFLAGS += -I. -I$(O)/gen -include $(O)/autoconf.h -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS) $(WERROR)
ALL_LDFLAGS = $(LINK_KIND) -Wl,--as-needed -Wl,-z,now,-z,noexecstack -Wl,--gc-sections $(SANFLAGS) $(LDFLAGS)
LIBS_platform := -levent_core -lmbedtls -lmbedx509 -lmbedcrypto
LIBS_proto := -lprotobuf-c
LIBS_sensor := -lpcap
LIBS_gzip := $(if $(STATIC),,-lz) $(if $(ISAL),-lisal)
LIBS_collector := $(if $(CONFIG_COLLECTOR_HTTP),-lcurl) $(if $(CONFIG_JETSTREAM),-lnats) $(if $(CONFIG_DELIVER),$(LIBS_gzip))
LIBS_analyst := $(LIBS_gzip)
LIBS = $(LIBS_sensor) $(LIBS_analyst) $(LIBS_proto) $(LIBS_platform)

# ---- rules -----------------------------------------------------------------------------------------
.PHONY: programs
programs: $(programs-y:%=$(O)/%)

link = $(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^)
ifdef STATIC
# What is carried is stripped; what was not stays beside it, for a debugger.
$(O)/flowproof-sensor: $(O)/flowproof-sensor.debug
	$(call say,STRIP,$@)
	$(Q)$(STATIC)-strip -s -R .comment -o $@ $<
$(O)/flowproof-sensor.debug: $(sensor-objs)
else
$(O)/flowproof-sensor: $(sensor-objs)
endif
	$(call say,LINK,$@)
	$(link) -Wl,-Map=$@.map $(LIBS_sensor) $(LIBS_proto) $(LIBS_platform)
$(O)/flowproof-collector: $(collector-objs)
	$(call say,LINK,$@)
	$(link) $(LIBS_collector) $(LIBS_proto) $(LIBS_platform)
$(O)/flowproof: $(analyst-objs)
	$(call say,LINK,$@)
	$(link) $(LIBS_analyst) $(LIBS_proto) $(LIBS_platform)

$(O)/%.o: %.c $(O)/autoconf.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# protoc-c's code is not held to our warnings.
$(O)/gen/proto/flowproof.pb-c.c $(O)/gen/proto/flowproof.pb-c.h &: proto/flowproof.proto
	@mkdir -p $(@D)
	$(call say,PROTOC,$<)
	$(Q)protoc-c --c_out=$(O)/gen $<
$(O)/proto/flowproof.pb-c.o: $(O)/gen/proto/flowproof.pb-c.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -I$(O)/gen -std=c11 -w -DNDEBUG $(HARDEN) $(SANFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(patsubst %.c,$(O)/%.o,$(wildcard proto/*.c)): | $(O)/gen/proto/flowproof.pb-c.h

# The CA's certificate as a C string, "" without one.
CA_FILE := $(subst ",,$(CONFIG_TLS_CA_FILE))
$(O)/gen/platform/ca_text.h: $(O)/autoconf.h $(CA_FILE)
	@mkdir -p $(@D)
	@{ echo 'static const char ca_text[] ='; $(if $(CA_FILE),sed 's/.*/"&\\n"/' $(CA_FILE);) echo '"";'; } >$@
$(O)/platform/crypto_pem.o: $(O)/gen/platform/ca_text.h

# The live page's script and style sheet as C strings.
$(O)/gen/collector/page_text.h: collector/page.css collector/page.js
	@mkdir -p $(@D)
	@for f in css js; do echo "static const char $$f[] ="; sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' collector/page.$$f; echo ';'; done >$@
$(O)/collector/page_text.o: $(O)/gen/collector/page_text.h

# What --version says; only one object depends on it, and it changes only when it says something else.
said = printf '\#define %s "%s"\n' $(1) "$(2)";
$(O)/gen/platform/version_text.h: FORCE
	@mkdir -p $(@D)
	@{ $(call said,VERSION_NUMBER,$(VERSION)) $(call said,VERSION_SOURCE,$(SOURCE)) \
	$(call said,VERSION_CONFIGURATION,$(subst ",,$(CONFIGURATION))) \
	$(call said,VERSION_LIBRARIES,$(if $(STATIC),$$(paste -s -d $(comma) $(DEPS)/VERSIONS))) } >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(O)/platform/version.o: $(O)/gen/platform/version_text.h
.PHONY: FORCE
FORCE:

# ---- tests -----------------------------------------------------------------------------------------
include tests/unit/unit.mk
# Tests may keep their tables on the stack.
$(O)/tests/%.o: WARN += -Wframe-larger-than=65536
unit-tests := $(foreach t,$(unit),$(O)/tests/unit/$(t))
define unit-rule
$(O)/tests/unit/$(1): $(O)/tests/unit/$(1).o $(foreach o,$(unit-$(1)),$(O)/$(o).o)
	$$(call say,LINK,$$@)
	$$(link) $$(LIBS) -lcmocka
endef
$(foreach t,$(unit),$(eval $(call unit-rule,$(t))))

include tests/fuzz/fuzz.mk
fuzz-tests := $(fuzz:%=$(O)/tests/fuzz/%)
define fuzz-rule
$(O)/tests/fuzz/$(1): $(O)/tests/fuzz/fuzz_$(1).o $(O)/tests/fuzz/replay.o $(foreach o,$(fuzz-$(1)),$(O)/$(o).o)
	$$(call say,LINK,$$@)
	$$(link) $$(LIBS)
endef
$(foreach t,$(fuzz),$(eval $(call fuzz-rule,$(t))))

fuzz-tests += $(O)/tests/fuzz/recut
$(O)/tests/fuzz/recut: $(O)/tests/fuzz/fuzz_savefile.o $(O)/tests/fuzz/recut.o $(call objects,$(fuzz-savefile))
	$(call say,LINK,$@)
	$(link) $(LIBS)

# Schedules of faults: the programs' own code between spool and ledger, over a simulated machine (tests/faults/sim.h).
fault-tests := $(O)/tests/faults/schedules $(O)/tests/faults/shim.so
$(O)/tests/faults/shim.so: tests/faults/shim.c $(O)/autoconf.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 $(WARN) -O2 -g -fPIC -shared -o $@ $<
$(O)/tests/faults/schedules: $(addprefix $(O)/,$(addsuffix .o,$(sort tests/faults/schedules tests/faults/actors tests/faults/check tests/faults/sim tests/faults/sim_tls \
		sensor/uplink sensor/uplink_machine sensor/clockwatch collector/ingest collector/ingest_frames collector/keep collector/refusal_log platform/addr \
		$(filter-out platform/clock platform/crypto platform/file platform/crypto_%,$(spool-objects)) \
		$(filter-out platform/clock platform/crypto platform/crypto_% tests/unit/evidence/keys tests/unit/evidence/sensors,$(unit-evidence/test_ledger_faults)))))
	$(call say,LINK,$@)
	$(link) $(LIBS_proto) $(LIBS_platform)

# What the names stage reads of a capture, for the golden tests.
names-dump := $(addprefix sensor/,names names_text names_dns names_tls names_http names_table names_asked names_stream capture capture_usual \
	      decode_link decode_usual decode_extra decode_ip decode_ipv6) proto/names platform/segments platform/addr platform/json platform/log \
	      platform/clock platform/err
fuzz-tests += $(O)/tests/golden/names_dump
$(O)/tests/golden/names_dump: $(O)/tests/golden/names_dump.o $(call objects,$(names-dump))
	$(call say,LINK,$@)
	$(link) $(LIBS)

# The signer and the uploader, driven by tests.
aws-objects := $(addprefix collector/,sigv4 http credentials aws s3) $(addprefix platform/,crypto crypto_md5 text json json_read file clock log err)
fault-tests += $(O)/tests/deliver/aws_drive
$(O)/tests/deliver/aws_drive: $(O)/tests/deliver/aws_drive.o $(call objects,$(aws-objects))
	$(call say,LINK,$@)
	$(link) -lcurl $(LIBS_platform)

.PHONY: tests unit-tests
unit-tests: $(unit-tests)
tests: programs $(unit-tests) $(fuzz-tests) $(fault-tests)

# ---- size --------------------------------------------------------------------------------------------
.PHONY: size
ifdef CROSS
size: static
	$(Q)$(MAKE) --no-print-directory CROSS= O=$(O)/$(TRIPLET) STATIC=$(TRIPLET) size
else
size: $(O)/flowproof-sensor
	$(Q)$(PY3) scripts/budget.py $(O) $(KCONFIG_CONFIG) $(STATIC)
endif

# ---- static ------------------------------------------------------------------------------------------
# In build/ too, for this machine: older than any object there, so that the next `make` links the other one again.
.PHONY: deps-static static
deps-static:
	@sh scripts/deps.sh build static $(CROSS)
	@sh scripts/deps-static.sh build $(TRIPLET)
static: deps-static
	$(Q)$(MAKE) --no-print-directory CROSS= O=$(O)/$(TRIPLET) STATIC=$(TRIPLET) $(O)/$(TRIPLET)/flowproof-sensor
ifeq ($(CROSS),)
	$(Q)cp $(O)/$(TRIPLET)/flowproof-sensor $(O)/flowproof-sensor && touch -d @1 $(O)/flowproof-sensor
endif

# The appliance's configuration beside the default one: the budgets are its. FULL: with mbedTLS' server, for the collector.
NATIVE := $(MACHINE)-linux-gnu
submake = $(MAKE) --no-print-directory CROSS= STATIC=$(1) O=$(O)/$(2)
sensors = for t in $(1); do \
	$(call submake,$$t,$$t) $(O)/$$t/flowproof-sensor && \
	$(call submake,$$t,appliance/$$t) KCONFIG_CONFIG=$(O)/appliance/config $(O)/appliance/$$t/flowproof-sensor || exit 1; done
# There are no static libraries to link these with.
NOT-STATIC := ALERT_CURL DELIVER_S3 DELIVER_CLOUDWATCH JETSTREAM
.PHONY: full-config appliance-config static-base test-static test-cross
appliance-config:
	$(Q)mkdir -p $(O)/appliance && cp -u configs/appliance_defconfig $(O)/appliance/config
full-config:
	$(Q)mkdir -p $(O)/full
	$(Q)printf '# CONFIG_%s is not set\n' $(NOT-STATIC) >$(O)/full/config.new
	$(Q)cmp -s $(O)/full/config.new $(O)/full/config.given || { cp $(O)/full/config.new $(O)/full/config && cp $(O)/full/config.new $(O)/full/config.given; }
static-base: deps full-config appliance-config
	@sh scripts/deps.sh build test static emulate
	@sh scripts/deps-static.sh build $(NATIVE)
	+$(Q)$(MAKE) --no-print-directory programs
	+$(Q)$(call submake,$(NATIVE),$(NATIVE)/full) FULL=1 KCONFIG_CONFIG=$(abspath $(O))/full/config programs
test-static: static-base
	@sh scripts/deps.sh armhf && sh scripts/deps-static.sh build $(TRIPLET-armhf)
	+$(Q)$(call sensors,$(NATIVE) $(TRIPLET-armhf))
	$(Q)$(PY3) tests/run.py $(O) --suite tests/static/suite_static.py

# What qemu-user cannot do, and what of the tests holds for TLS 1.2 alone (with 1.3 a client is ready before the server has judged it).
FOREIGN := $(TRIPLET-armhf) $(TRIPLET-arm64) $(TRIPLET-mips)
QEMU-$(TRIPLET-armhf) := qemu-arm-static
QEMU-$(TRIPLET-arm64) := qemu-aarch64-static
QEMU-$(TRIPLET-mips) := qemu-mips-static
EXCEPT := --except "unit/platform/test_sandbox=qemu-user has no seccomp" --except "unit/platform/test_nic=qemu-user has no ethtool" \
	  --except "unit/platform/test_segments=qemu-user has no packet sockets" --except "unit/platform/test_tls=of TLS 1.2" \
	  --except "unit/collector/test_ingest=of TLS 1.2"
EXCEPT-$(TRIPLET-mips) := --except "unit/platform/test_loop=qemu-user does not translate SO_ERROR" --except "unit/platform/test_ifaddr=rtnetlink of another byte order hangs under qemu-user"
cross-units := $(FOREIGN:%=cross-unit-%)
.PHONY: $(cross-units)
$(cross-units): cross-unit-%:
	+$(Q)$(call submake,$*,$*/full) FULL=1 KCONFIG_CONFIG=$(abspath $(O))/full/config unit-tests
	$(Q)$(PY3) tests/run.py $(O)/$*/full --only unit/ --emulator $(QEMU-$*) $(EXCEPT) $(EXCEPT-$*)
test-cross: static-base
	@sh scripts/deps.sh armhf arm64 mips && sh scripts/deps-static.sh build $(FOREIGN)
	+$(Q)$(call sensors,$(FOREIGN))
	+$(Q)$(MAKE) --no-print-directory -j1 $(cross-units)
	$(Q)$(PY3) tests/run.py $(O) --suite tests/static/suite_cross.py

include platform/platform.mk

# ---- deliveries ----------------------------------------------------------------------------------------
# At the real things, or what comes closest: Ceph's gateway for S3, AWS's own signers and models.
.PHONY: test-deliver
deliver-suites := suite_readers suite_signer suite_s3 suite_cloudwatch
test-deliver: deps
	@sh scripts/deps.sh deliver
	@command -v npm >/dev/null || sh scripts/deps.sh npm
	+$(Q)$(MAKE) --no-print-directory programs $(O)/tests/deliver/aws_drive
	$(Q)$(PY3) tests/run.py $(O) $(deliver-suites:%=--suite tests/deliver/%.py) --suite tests/jetstream/suite_jetstream.py

# ---- browser -----------------------------------------------------------------------------------------
# Reports and the live page in Debian's chromium; pictures in build/browser/. npm fetches two packages that only this test needs.
.PHONY: test-browser
test-browser: deps
	@command -v chromium >/dev/null && command -v npm >/dev/null && command -v promtool >/dev/null || sh scripts/deps.sh browser
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)$(PY3) tests/run.py $(O) --suite tests/browser/suite_browser.py --suite tests/browser/suite_page.py

# ---- benchmark and fuzzing: never part of the tests ---------------------------------------------------
# Techniques to get data out, and what is found of them: docs/gauntlet.md. GAUNTLET=name,name: only these.
.PHONY: gauntlet
gauntlet: deps
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)$(PY3) tests/run.py $(O) --suite tests/gauntlet/run_gauntlet.py
.PHONY: bench bench-deps fuzz
bench-programs := $(addprefix $(O)/tests/bench/,make_capture bare_loop measure send_frames)
$(bench-programs): $(O)/%: $(O)/%.o
	$(call say,LINK,$@)
	$(link) $(LIBS_sensor)
bench: programs $(bench-programs)
	$(Q)$(PY3) tests/bench/run.py $(O) $(BENCH)
# The collector's side: what it takes a second, and what its audit costs.
.PHONY: bench-ingest
$(O)/tests/bench/ingest_load: $(O)/tests/bench/ingest_load.o $(call objects,$(base-y) proto/batch_write proto/names_write proto/endpoint_columns proto/burst_columns proto/signature \
		$(addprefix platform/,loop socket tls tls_config crypto_sign crypto_pem crypto_cert crypto_issuer))
	$(call say,LINK,$@)
	$(link) $(LIBS_proto) $(LIBS_platform)
bench-ingest: programs $(O)/tests/bench/ingest_load
	$(Q)$(PY3) tests/bench/ingest.py $(O)
	$(Q)$(PY3) tests/bench/wire_bytes.py $(O)
# What deliveries cost ingest, and what an export costs.
.PHONY: bench-deliver
bench-deliver: programs $(O)/tests/bench/ingest_load
	$(Q)$(PY3) tests/bench/deliver.py $(O)
# Several collectors with JetStream between them: CPU by part.
.PHONY: bench-fronts
bench-fronts: programs $(O)/tests/bench/ingest_load
	@sh scripts/deps.sh deliver
	$(Q)$(PY3) tests/bench/fronts.py $(O)
# Where each detector begins to find, measured in recorded background: docs/limits.md is written anew.
.PHONY: limits
limits: programs
	$(Q)$(PY3) tests/findings/measure_limits.py $(O)
# Faults for longer than the tests have time for.
.PHONY: soak
COUNT ?= 100000
soak: programs $(fault-tests)
	$(Q)FLOWPROOF_SCHEDULES=$(COUNT) FLOWPROOF_SECONDS=$(SECONDS) $(PY3) tests/faults/run_schedules.py $(O)
	$(Q)FLOWPROOF_REPLAYS=$$(($(SECONDS) + 1)) $(PY3) tests/faults/run_processes.py $(O)
# A report over a day of 1 M records.
.PHONY: bench-report
bench-report: programs $(O)/tests/bench/ingest_load
	$(Q)$(PY3) tests/bench/report.py $(O)
# Flow Logs: reading beside bare inflate and DuckDB, reconciling beside DuckDB. LINES=10000000 takes minutes and 3 GB below $(O)/bench.
.PHONY: bench-reconcile
LINES ?= 2000000
bench-reconcile-programs := $(addprefix $(O)/tests/bench/,make_flowlogs read_flowlogs duckdb_query)
$(O)/tests/bench/read_flowlogs: $(call objects,$(sort $(flowlogs-y) platform/clock platform/file $(fuzz-flowrec)))
$(bench-reconcile-programs): $(O)/%: $(O)/%.o
	$(call say,LINK,$@)
	$(link) $(LIBS_analyst)
bench-reconcile: programs $(bench-reconcile-programs)
	$(Q)$(PY3) tests/bench/reconcile.py $(O) $(LINES)
# The live page with 1,000 sensors and 100,000 endpoints, and ingest beside it.
.PHONY: bench-page
bench-page: programs $(O)/tests/bench/ingest_load
	$(Q)$(PY3) tests/bench/page.py $(O)
bench-deps:
	@sh scripts/deps.sh build bench

# Ten thousand worlds with known truth for reconcile: about ten minutes. WORLDS=N, FLOWPROOF_SEED=N for others.
WORLDS ?= 10000
.PHONY: test-worlds
test-worlds: programs
	$(Q)FLOWPROOF_WORLDS=$(WORLDS) $(PY3) tests/reconcile/run_simulated.py $(O)

# FUZZ_SEEDS: folders of further inputs.
SECONDS ?= 60
FUZZ_SEEDS ?= $(wildcard ../shared/data/pcaps)
fuzz-sources = $(foreach o,$(fuzz-$(1)),$(if $(filter %.pb-c,$(o)),$(O)/gen/$(o).c,$(o).c))
.PHONY: $(fuzz:%=fuzz-run-%)
$(fuzz:%=fuzz-run-%): fuzz-run-%: $(O)/autoconf.h $(O)/gen/proto/flowproof.pb-c.h
	$(call say,FUZZ,$*)
	$(Q)mkdir -p $(O)/fuzz/corpus-$*
	$(Q)clang $(CPPFLAGS) -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $(O)/fuzz/$* tests/fuzz/fuzz_$*.c $(call fuzz-sources,$*) $(LIBS)
	$(Q)$(O)/fuzz/$* -max_total_time=$(SECONDS) -max_len=65536 -timeout=20 -print_final_stats=1 $(O)/fuzz/corpus-$* \
		tests/fuzz/seeds/$* $(if $(filter savefile,$*),$(FUZZ_SEEDS))
fuzz: $(fuzz:%=fuzz-run-%)

# deps first: on a new machine nothing else is there yet. The recursion lets make read the configuration after it.
.PHONY: test test-sanitize run deps deps-check check format install clean distclean help
deps:
	@sh scripts/deps.sh build test
deps-check:
	@sh scripts/deps.sh build test check
test: deps
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)$(PY3) tests/run.py $(O)
test-sanitize: deps
	$(Q)$(MAKE) --no-print-directory O=$(O)/sanitize SANITIZE=1 tests
	$(Q)$(PY3) tests/run.py $(O)/sanitize --except "config/run_config=builds programs of its own, without sanitizers"
run: deps
	$(Q)$(MAKE) --no-print-directory programs
	@O=$(O) sh scripts/run.sh

C_FILES = $(shell git ls-files '*.c' '*.h')
format:
	$(Q)clang-format -i $(C_FILES)
check: deps-check
	@O=$(O) MAKE="$(MAKE)" sh scripts/check.sh

install: programs
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/doc/flowproof
	$(Q)install -m 755 $(filter-out $(O)/flowproof,$(programs-y:%=$(O)/%)) $(DESTDIR)$(PREFIX)/sbin
	$(Q)$(if $(CONFIG_ANALYST),install -m 755 $(O)/flowproof $(DESTDIR)$(PREFIX)/bin)
	$(Q)for s in 1 5 8; do install -m 644 docs/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s || exit 1; done
	$(Q)install -m 644 configs/*.conf configs/policy/*.policy docs/report.schema.json $(DESTDIR)$(PREFIX)/share/doc/flowproof

clean:
	$(Q)rm -rf $(O)
distclean: clean
	$(Q)rm -rf $(KCONFIG_CONFIG) $(KCONFIG_CONFIG).old run

help:
	@sed -n 's/^#> \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

#> make run             install what is missing, build, and watch this machine: throw-away keys, a collector on
#>                      loopback, a sensor on the default interface. RUN_SECONDS=N ends it; else Ctrl-C. (root)
#> make test            install what is missing, build, run every test (root: the network tests need namespaces)
#> make                 build the programs into build/ (O=DIR for another folder, V=1 shows the commands)
#> make deps            install the packages that building and testing need; without root, print the command
#> make check           format, layers, warnings as errors with gcc and clang, cppcheck, manual pages
#> make test-sanitize   the tests again with address and undefined-behaviour sanitizers
#> make static          the sensor as it is carried: one static file, musl inside, in build/ and build/TRIPLET/;
#>                      CROSS=arm64, armhf or mips: for another processor, in build/TRIPLET/ (make CROSS=... size: its bytes)
#> make deps-static     what it is linked with, from Debian's sources (about two minutes a processor; kept in $FLOWPROOF_CACHE,
#>                      by default ~/.cache/flowproof)
#> make test-static     the static sensor for this machine and 32-bit ARM: end to end, empty chroot, hostile host, budgets
#> make test-cross      unit and golden tests for 32-bit and 64-bit ARM and big-endian MIPS under qemu-user
#> make test-deliver    deliveries at Ceph's S3 and, for CloudWatch Logs, at AWS's models; our signer beside those of AWS's SDKs
#> make test-browser    reports in Debian's chromium: nothing is fetched, nothing runs, axe-core; pictures in build/browser/
#> make deb, make rpm   packages in build/packages/; CROSS=arm64, armhf: for another processor (deb: the sensor alone)
#> make appliance-image the sensor as the only program of a machine: build/TRIPLET/appliance.cpio.gz and a kernel of Debian's
#>                      (CROSS=armhf, the default, or arm64; platform/appliance/init.c says how it is told what to do)
#> make test-platform   units, packages, the offline installer, the appliance's image: installed, booted, removed (root)
#> make size            what the sensor is made of, in bytes, its memory at most, and whether the budgets hold
#> make gauntlet        techniques to get data out, run for real: each found, or missed as docs/gauntlet.md says (root)
#> make bench           CPU and memory of the sensor beside a bare libpcap loop and the flow meters that are installed; then
#>                      live in namespaces (root). BENCH=files or BENCH=live for one part. make bench-deps installs them
#> make limits          where each detector begins to find, measured: writes docs/limits.md (needs the captures beside the tree)
#> make bench-ingest    records a second that the collector makes durable, its memory with 1,000 sensors, what an audit costs, and
#>                      bytes on the wire beside NetFlow v9 and IPFIX
#> make bench-deliver   ingest without a delivery and beside one that is dead, stands still, works; what an export costs (root)
#> make bench-fronts    CPU of fronts, NATS servers and a writer a batch (docs/scale.md)
#> make soak            schedules of faults for SECONDS=60, or COUNT of them; FLOWPROOF_SEED=N for the same ones again
#> make test-worlds     reconcile over 10,000 simulated machines whose hidden flows are known (WORLDS=N)
#> make bench-reconcile reading Flow Logs beside bare inflate, reconciling beside DuckDB (LINES=N, 2,000,000 of them)
#> make bench-report    CPU and memory of a report over a day of 1 M records
#> make fuzz            fuzz whatever reads bytes from outside with clang's libFuzzer, SECONDS=60 each; fuzz-run-NAME: one of them
#> make menuconfig      choose what is built and how large the tables are; NAME_defconfig takes configs/NAME_defconfig
#> make format          apply clang-format
#> make install         DESTDIR= PREFIX=/usr/local
#> make clean, distclean

-include $(shell find $(O) -name '*.d' -not -path '$(O)/sanitize/*' -not -path '$(O)/*-linux-*' 2>/dev/null)
