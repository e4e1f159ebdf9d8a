// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines on standard error: "2026-01-31T12:34:56Z info uplink: text". The tag is the stage.
 *
 * err: work is lost or will be. warn: survived, continuing. info: life-cycle. debug: off by
 * default. Control bytes in the text are escaped. Never payload, never keys.
 */
#pragma once

#include "platform/config.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are left out; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);

void log_err(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Compiled only where Kconfig says so. */
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (IS_ENABLED(CONFIG_LOG_DEBUG))                                                  \
			log_debug(__VA_ARGS__);                                                    \
	} while (0)
