// SPDX-License-Identifier: Apache-2.0
/*
 * IS_ENABLED(CONFIG_X) in a plain `if`: what is switched off is still compiled, then left out by
 * the compiler, so that no configuration can rot. As in Linux' include/linux/kconfig.h: CONFIG_X is
 * defined as 1 or not at all.
 */
#pragma once

#define CONFIG_HELD_1                      0,
#define CONFIG_SECOND(ignored, value, ...) value
#define CONFIG_PICK(...)                   CONFIG_SECOND(__VA_ARGS__)
#define CONFIG_JOINED(value)               CONFIG_PICK(CONFIG_HELD_##value 1, 0, 0)
#define IS_ENABLED(option)                 CONFIG_JOINED_(option)
#define CONFIG_JOINED_(value)              CONFIG_JOINED(value)
