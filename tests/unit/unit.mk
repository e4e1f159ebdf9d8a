# SPDX-License-Identifier: Apache-2.0
# Unit tests: a list of names, and for each the objects it links. A module's true dependencies are this list.
# A test is tests/unit/FOLDER/test_MODULE.c; cmocka prints TAP (tests/run.py sets it so).

unit :=

unit += proto/test_batch
unit-proto/test_batch := platform/text proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns proto/batch_read proto/names_read proto/logs proto/flowproof.pb-c platform/err
$(O)/tests/unit/proto/test_batch.o: | $(O)/gen/proto/flowproof.pb-c.h
unit += proto/test_names
unit-proto/test_names := $(unit-proto/test_batch) proto/names
$(O)/tests/unit/proto/test_names.o: | $(O)/gen/proto/flowproof.pb-c.h
unit += proto/test_logs
unit-proto/test_logs := $(unit-proto/test_batch)
$(O)/tests/unit/proto/test_logs.o: | $(O)/gen/proto/flowproof.pb-c.h
unit += proto/test_endpoint
unit-proto/test_endpoint := proto/endpoint proto/endpoint_columns proto/burst_columns proto/batch_write proto/names_write proto/logs_write proto/batch_read proto/names_read proto/logs proto/fields proto/flowrec \
	proto/flowproof.pb-c platform/addr platform/text platform/err
$(O)/tests/unit/proto/test_endpoint.o: | $(O)/gen/proto/flowproof.pb-c.h
unit += platform/test_err
unit-platform/test_err := platform/err
unit += platform/test_bytes
unit-platform/test_bytes :=
unit += platform/test_text
unit-platform/test_text := platform/text
unit += platform/test_addr
unit-platform/test_addr := platform/addr platform/err
unit += platform/test_clock
unit-platform/test_clock := platform/clock platform/err
unit += platform/test_file
unit-platform/test_file := platform/file platform/err
unit += platform/test_log
unit-platform/test_log := platform/log platform/clock platform/err
unit += platform/test_settings
unit-platform/test_settings := platform/settings platform/file platform/err
unit += platform/test_sandbox
unit-platform/test_sandbox := platform/sandbox_seccomp
unit += platform/test_ifaddr
unit-platform/test_ifaddr := platform/ifaddr platform/rtnl platform/addr platform/err
unit += platform/test_early
unit-platform/test_early := platform/early platform/err
unit += platform/test_nic
unit-platform/test_nic := platform/nic platform/nic_text platform/rtnl
unit += platform/test_taps
unit-platform/test_taps := platform/taps platform/rtnl
unit += sensor/test_blind
unit-sensor/test_blind := sensor/blind
unit += platform/test_imds
unit-platform/test_imds := platform/ec2/imds platform/addr platform/err
unit += platform/test_segments
unit-platform/test_segments := platform/segments
unit += policy/test_policy_parse
unit-policy/test_policy_parse := $(policy-y) platform/text platform/addr platform/file platform/crypto platform/err
unit += policy/test_policy_match
unit-policy/test_policy_match := $(policy-y) platform/text platform/addr platform/file platform/crypto platform/err
unit += platform/test_web
unit-platform/test_web := platform/web platform/http_head platform/loop platform/socket platform/addr platform/log platform/clock platform/err
unit += platform/test_http_head
unit-platform/test_http_head := platform/http_head
unit += platform/test_metrics_text
unit-platform/test_metrics_text := platform/metrics_text platform/text
unit += platform/test_json_read
unit-platform/test_json_read := platform/json_read platform/file platform/err
unit += policy/test_policy_slow
unit-policy/test_policy_slow := $(policy-y) platform/text platform/addr platform/file platform/crypto platform/err
unit += policy/test_policy_name
unit-policy/test_policy_name := policy/policy_name
unit += sensor/test_crossing
unit-sensor/test_crossing := sensor/crossing
unit += sensor/test_decode
unit-sensor/test_decode := sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6
unit += sensor/test_capture_usual
unit-sensor/test_capture_usual := sensor/capture sensor/capture_usual sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6 \
	platform/segments platform/log platform/clock platform/err
unit += sensor/test_decode_usual
unit-sensor/test_decode_usual := sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6
unit += sensor/test_fragment
unit-sensor/test_fragment := sensor/fragment
unit-sensor/test_decode := sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6
unit += sensor/test_judge
unit-sensor/test_judge := sensor/judge sensor/own sensor/crossing sensor/alert sensor/names_table sensor/flow sensor/flow_began proto/fields proto/flowrec $(unit-policy/test_policy_match) \
	platform/log platform/clock
unit += sensor/test_names
unit-sensor/test_names := $(addprefix sensor/,names names_text names_dns names_tls names_http names_table names_asked names_stream)
unit += sensor/test_names_table
unit-sensor/test_names_table := sensor/names_table
unit += sensor/test_names_dns
unit-sensor/test_names_dns := sensor/names_dns sensor/names_text
unit += sensor/test_names_stream
unit-sensor/test_names_stream := sensor/names_stream sensor/names_tls sensor/names_http sensor/names_text
unit += sensor/test_flow
unit-sensor/test_flow := sensor/flow sensor/flow_began proto/fields proto/flowrec platform/err
unit += sensor/test_endpoint
unit-sensor/test_endpoint := sensor/endpoint
unit += sensor/test_rhythm
unit-sensor/test_rhythm := sensor/rhythm sensor/endpoint proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns \
	proto/batch_read proto/names_read proto/logs proto/flowproof.pb-c platform/text platform/err
$(O)/tests/unit/sensor/test_rhythm.o: | $(O)/gen/proto/flowproof.pb-c.h
unit += sensor/test_window
unit-sensor/test_window := sensor/window
unit += sensor/test_account
unit-sensor/test_account := sensor/account sensor/decode_link sensor/decode_usual sensor/decode_extra sensor/decode_ip sensor/decode_ipv6 proto/chain \
	platform/crypto platform/err
unit += sensor/test_canary
unit-sensor/test_canary := sensor/canary proto/canary
unit += sensor/test_offload
unit-sensor/test_offload := sensor/offload
unit += sensor/test_tail
unit-sensor/test_tail := sensor/tail sensor/tail_read sensor/tail_opener $(sandbox-y) platform/log platform/clock platform/err
unit += sensor/test_alert
unit-sensor/test_alert := sensor/alert
spool-objects := sensor/spool sensor/spool_ring sensor/spool_logs sensor/spool_file sensor/spool_recover proto/signature proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns \
	proto/batch_read proto/names_read proto/logs proto/chain proto/flowproof.pb-c platform/crypto_sign platform/crypto_pem platform/crypto platform/file \
	platform/text platform/log platform/clock platform/err
unit += sensor/test_spool
unit-sensor/test_spool := $(spool-objects)
unit += sensor/test_spool_file
unit-sensor/test_spool_file := $(spool-objects)
unit += sensor/test_uplink_machine
unit-sensor/test_uplink_machine := sensor/uplink_machine
unit += sensor/test_clockwatch
unit-sensor/test_clockwatch := sensor/clockwatch
unit += proto/test_signature
unit-proto/test_signature := proto/signature proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns proto/flowproof.pb-c tests/unit/evidence/keys platform/crypto_cert platform/crypto_issuer \
	platform/crypto_sign platform/crypto_pem platform/crypto platform/file platform/clock platform/err
unit += evidence/test_ledger
ledger-writer := platform/text $(addprefix evidence/,manifest ledger_segment ledger_sum ledger_write ledger_resume ledger_seal) \
	proto/fields proto/wire proto/batch_read proto/names_read proto/logs proto/endpoint_columns proto/burst_columns proto/chain proto/flowproof.pb-c platform/crypto_sign platform/crypto_pem platform/crypto platform/file \
	platform/log platform/clock platform/err
unit-evidence/test_ledger := $(ledger-writer) evidence/ledger_index evidence/ledger_read platform/crypto_cert platform/crypto_issuer tests/unit/evidence/keys
unit += evidence/test_audit
unit-evidence/test_audit := $(ledger-writer) $(addprefix evidence/,ledger_index ledger_read audit audit_manifest audit_sensor audit_entries audit_heads) proto/batch_write proto/names_write proto/logs_write proto/signature \
	platform/crypto_cert platform/crypto_issuer tests/unit/evidence/keys tests/unit/evidence/sensors
unit += evidence/test_follow
unit-evidence/test_follow := $(filter-out $(addprefix evidence/,audit audit_manifest audit_sensor audit_entries audit_heads),$(unit-evidence/test_audit)) evidence/follow evidence/replay
unit += evidence/test_ledger_faults
unit-evidence/test_ledger_faults := $(filter-out platform/file platform/crypto_sign,$(unit-evidence/test_audit)) \
	tests/unit/evidence/fake_disk tests/unit/evidence/fake_sign
unit += evidence/test_findings
findings-objects := $(addprefix evidence/,$(findings-y)) proto/batch_write proto/batch_read proto/endpoint_columns proto/burst_columns \
	proto/names proto/names_read proto/logs proto/names_write proto/logs_write proto/flowproof.pb-c proto/fields proto/flowrec platform/addr platform/json platform/crypto platform/clock platform/file \
	platform/text platform/version platform/err
unit-evidence/test_findings := tests/unit/evidence/made $(findings-objects)
unit += evidence/test_beat
unit-evidence/test_beat := evidence/beat
unit += evidence/test_domain
unit-evidence/test_domain := evidence/domain
unit += evidence/test_detectors
unit-evidence/test_detectors := $(unit-evidence/test_findings)
unit += evidence/test_detect_names
unit-evidence/test_detect_names := $(unit-evidence/test_findings)
unit += evidence/test_log_sums
unit-evidence/test_log_sums := $(findings-objects) evidence/log_sums
unit += evidence/test_endpoints
unit-evidence/test_endpoints := evidence/endpoints
unit += platform/test_loop
unit-platform/test_loop := platform/loop platform/socket platform/addr platform/log platform/clock platform/err
unit += platform/test_crypto
unit-platform/test_crypto := platform/crypto
unit += $(if $(STATIC),,platform/test_crypto_md5)
unit-platform/test_crypto_md5 := platform/crypto platform/crypto_md5
unit += platform/test_crypto_cert
unit-platform/test_crypto_cert := platform/crypto_crl platform/crypto_cert platform/crypto_issuer platform/crypto_pem platform/crypto platform/file platform/err
unit += platform/test_crypto_sign
unit-platform/test_crypto_sign := platform/crypto_sign platform/crypto_cert platform/crypto_issuer platform/crypto_pem platform/crypto platform/file platform/err
unit += platform/test_tls
unit-platform/test_tls := platform/tls platform/tls_config platform/loop platform/socket platform/crypto_cert platform/crypto_issuer platform/crypto_pem platform/crypto platform/file platform/addr \
	platform/log platform/clock platform/err
unit += analyst/test_pki
unit-analyst/test_pki := analyst/pki platform/crypto_crl platform/crypto_cert platform/crypto_issuer platform/crypto_pem platform/crypto platform/settings platform/file platform/clock \
	platform/err
unit += proto/test_chain
unit-proto/test_chain := proto/chain platform/crypto platform/err
unit += proto/test_wire
unit-proto/test_wire := platform/text proto/fields proto/wire proto/flowproof.pb-c platform/err
unit += proto/test_wire_hello
unit-proto/test_wire_hello := $(unit-proto/test_wire)
unit += collector/test_ingest
unit-collector/test_ingest := collector/ingest collector/ingest_frames collector/keep collector/refusal_log $(ledger-writer) evidence/ledger_index evidence/ledger_read proto/batch_write proto/names_write proto/logs_write proto/endpoint_columns proto/burst_columns \
	platform/tls platform/tls_config platform/loop platform/socket platform/crypto_cert platform/crypto_issuer platform/addr
unit += proto/test_flowrec
unit-proto/test_flowrec := proto/fields proto/flowrec proto/flowrec_text proto/flowrec_json platform/json platform/addr platform/err
unit += proto/test_flowrec_parse
unit-proto/test_flowrec_parse := proto/fields proto/flowrec proto/flowrec_text proto/flowrec_parse platform/text platform/addr platform/err
unit += evidence/test_verdict
unit-evidence/test_verdict := evidence/verdict evidence/verdict_table
unit += evidence/test_timeline
unit-evidence/test_timeline := evidence/timeline
unit += evidence/test_report_words
unit-evidence/test_report_words := evidence/say evidence/said evidence/report_words evidence/limits platform/json evidence/verdict evidence/verdict_table evidence/finding evidence/reconcile_reasons evidence/reconcile_ifaces \
	evidence/spans platform/addr platform/err
unit += evidence/test_html
unit-evidence/test_html := $(unit-evidence/test_report_words) evidence/html evidence/labels evidence/domain evidence/table platform/text platform/crypto
ifndef STATIC
unit += platform/test_gunzip
unit-platform/test_gunzip := $(gunzip-y) platform/err
unit += platform/test_gzip
unit-platform/test_gzip := $(gzip-y) $(gunzip-y) platform/err
unit += evidence/test_slots
unit-evidence/test_slots := $(filter-out evidence/object_folder evidence/range,$(slots-y)) $(unit-evidence/test_audit) $(gunzip-y) platform/json platform/addr proto/flowrec \
	proto/flowrec_text evidence/replay proto/names
endif
unit += evidence/test_spans
unit-evidence/test_spans := evidence/spans
unit += collector/test_delivery
unit-collector/test_delivery := $(filter-out platform/clock $(addprefix evidence/,ledger_index ledger_read audit audit_manifest audit_sensor audit_entries audit_heads),$(unit-evidence/test_audit)) \
	collector/delivery collector/delivery_cursor evidence/range evidence/replay $(sandbox-y)
unit += collector/test_alert_syslog
unit-collector/test_alert_syslog := collector/alert_syslog
unit += collector/test_sigv4
unit-collector/test_sigv4 := collector/sigv4 platform/crypto platform/text platform/err
unit += collector/test_alert_limit
unit-collector/test_alert_limit := collector/alert_limit
