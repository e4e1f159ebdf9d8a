# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: a list of names, and for each the objects it links. A target is tests/fuzz/fuzz_NAME.c, its seeds are the files of
# tests/fuzz/seeds/NAME. `make fuzz` builds the sources with clang's libFuzzer; `make test` replays the seeds (replay.c).

fuzz :=

fuzz += batch
fuzz-batch := proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns proto/batch_read proto/names_read proto/logs proto/chain proto/signature proto/flowproof.pb-c platform/crypto \
	platform/crypto_sign platform/crypto_pem platform/file platform/text platform/err
fuzz += wire
fuzz-wire := proto/fields proto/wire $(fuzz-batch)
fuzz += decode
fuzz-decode := sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6
# The whole path, from the bytes of a capture file to lines of text.
fuzz += savefile
fuzz-savefile := $(filter-out sensor/main,$(sensor-y))
fuzz += flowrec
fuzz-flowrec := proto/fields proto/flowrec proto/flowrec_text proto/flowrec_parse platform/text platform/addr platform/err
# A request to the live page.
fuzz += http
fuzz-http := platform/http_head
# The language, and what is made into it.
fuzz += policy
fuzz-policy := $(policy-y) policy/policy_print $(if $(CONFIG_POLICY_AWS),,platform/json_read) $(if $(CONFIG_POLICY_BOUNDARY),,policy/policy_boundary) \
	platform/text platform/addr platform/file platform/crypto platform/err
fuzz += aws
fuzz-aws := $(fuzz-policy) policy/import_aws policy/import_rules
# Flow Logs: a file of any kind, a line, gzip alone.
fuzz += flowline
fuzz-flowline := evidence/flowlogs_line $(fuzz-flowrec)
fuzz += gunzip
fuzz-gunzip := $(gunzip-y) platform/err
fuzz += flowlogs
fuzz-flowlogs := $(flowlogs-y) platform/clock platform/file $(fuzz-flowrec)
fuzz += dns
fuzz-dns := sensor/names_dns sensor/names_text
fuzz += stream
fuzz-stream := sensor/names_tls sensor/names_http sensor/names_text
fuzz += names
fuzz-names := $(addprefix sensor/,names names_text names_dns names_tls names_http names_table names_asked names_stream)
# What instance metadata answers.
fuzz += imds
fuzz-imds := platform/ec2/imds platform/addr platform/err
# A batch through the detectors.
fuzz += findings
fuzz-findings := $(findings-objects)
# The ledger's files.
fuzz += segment
fuzz-segment := evidence/ledger_segment $(fuzz-wire)
fuzz += manifest
fuzz-manifest := evidence/manifest $(filter-out platform/crypto_sign platform/crypto_pem,$(fuzz-wire)) tests/unit/evidence/fake_sign
