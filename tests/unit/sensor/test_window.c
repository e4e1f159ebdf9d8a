// SPDX-License-Identifier: Apache-2.0
/*
 * Windows: which close when, which were silent, which lost packets. Times by arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/flowrec.h"
#include "sensor/window.h"

/* What the sink was told, as text. */
struct diary {
	char text[2000];
};

static void note(struct diary *d, const char *line)
{
	strncat(d->text, line, sizeof d->text - strlen(d->text) - 1);
}

static void closed(void *ctx, uint32_t before)
{
	char line[80];

	snprintf(line, sizeof line, "close<%u ", before);
	note(ctx, before == UINT32_MAX ? "close-all " : line);
}

static void mark(void *ctx, uint16_t iface, uint8_t status, uint64_t start, uint64_t end)
{
	char line[80];

	snprintf(line, sizeof line, "%s%u[%llu,%llu) ",
		 status == FLOWREC_NODATA ? "nodata" : "skipdata", iface, (unsigned long long)start,
		 (unsigned long long)end);
	note(ctx, line);
}

static struct window start(struct diary *d, uint32_t length, uint16_t ifaces, bool live,
			   uint64_t now)
{
	struct window_sink sink = {.closed = closed, .mark = mark, .ctx = d};
	struct window w;

	d->text[0] = '\0';
	window_init(&w, length, ifaces, live, now, &sink);
	return w;
}

static void places(void **state)
{
	struct diary d;
	struct window w = start(&d, 600, 1, false, 0);
	uint32_t number;
	uint16_t offset;

	(void)state;
	window_place(&w, 1199, &number, &offset);
	assert_int_equal(number, 1);
	assert_int_equal(offset, 599);
	window_place(&w, UINT64_MAX, &number, &offset);
	assert_int_equal(number, UINT32_MAX - 1);
	assert_int_equal(offset, 599);
}

static void file_windows(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, false, 0);

	(void)state;
	window_note(&w, 10, 0);
	window_note(&w, 10, 0);
	window_note(&w, 9, 0); /* late: closes nothing */
	window_note(&w, 11, 0);
	window_note(&w, 15, 0);
	window_end(&w, 0);
	assert_string_equal(d.text, "close<11 close<15 nodata0[720,900) close-all ");
}

static void live_windows(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 2, true, 630); /* in the middle of window 10 */

	(void)state;
	window_note(&w, 10, 0);
	window_tick(&w, 660); /* over, but the ring may hold some */
	window_note(&w, 11, 1);
	assert_string_equal(d.text, "");
	window_tick(&w, 661);
	assert_string_equal(d.text, "close<11 nodata1[630,660) ");
	d.text[0] = '\0';
	window_tick(&w, 721);
	assert_string_equal(d.text, "close<12 nodata0[660,720) ");
	d.text[0] = '\0';
	window_end(&w, 730); /* clipped to the run */
	assert_string_equal(d.text, "close-all nodata0[720,730) nodata1[720,730) ");
}

static void lost_packets_mark_every_window_open_since(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 600);

	(void)state;
	window_note(&w, 10, 0);
	window_note(&w, 11, 0);
	window_lost(&w, 0, 659, 660); /* between the readings windows 10 and 11 were open */
	window_tick(&w, 661);
	window_tick(&w, 721);
	window_note(&w, 12, 0);
	window_tick(&w, 781);
	assert_string_equal(d.text,
			    "close<11 skipdata0[600,660) close<12 skipdata0[660,720) close<13 ");
}

/* A stopped sensor reads its counter late: none of the windows in between may pass for whole. */
static void a_stopped_sensor_marks_all_windows_between(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 2, true, 610);

	(void)state;
	window_note(&w, 10, 0);
	window_note(&w, 11, 0); /* the ring held these, and nothing of window 12 */
	window_note(&w, 11, 1);
	window_note(&w, 13, 1);
	window_lost(&w, 0, 650, 785);
	assert_true(window_is_over(&w, 785));
	window_tick(&w, 785);
	assert_false(window_is_over(&w, 785));
	assert_string_equal(d.text, "close<13 skipdata0[610,660) nodata1[610,660) "
				    "skipdata0[660,720) skipdata0[720,780) nodata1[720,780) ");
	d.text[0] = '\0';
	window_tick(&w, 841); /* the reading was in window 13; what was noted in it stands */
	assert_string_equal(d.text, "close<14 skipdata0[780,840) ");
	d.text[0] = '\0';
	window_tick(&w, 901);
	assert_string_equal(d.text, "close<15 nodata0[840,900) nodata1[840,900) ");
}

/* Its last reading was in window 10's grace, that is in window 11: window 10 lost nothing. */
static void a_window_that_was_over_at_the_last_reading_is_not_marked(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 600);

	(void)state;
	window_note(&w, 10, 0);
	window_lost(&w, 0, 660, 660);
	window_tick(&w, 661);
	assert_string_equal(d.text, "close<11 ");
	d.text[0] = '\0';
	window_tick(&w, 721);
	assert_string_equal(d.text, "close<12 skipdata0[660,720) ");
}

static void losses_at_the_end_of_a_run_are_marked(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 610);

	(void)state;
	window_note(&w, 10, 0);
	window_lost(&w, 0, 659, 660);
	window_end(&w, 660); /* in the grace: window 10 is open still, 11 has begun */
	assert_string_equal(d.text, "close-all skipdata0[610,660) skipdata0[660,660) ");

	w = start(&d, 60, 1, true, 610);
	window_note(&w, 10, 0);
	window_end(&w, 660);
	assert_string_equal(d.text, "close-all ");
}

static void a_clock_that_is_set_back_loses_no_mark(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 6000);

	(void)state;
	window_lost(&w, 0, 6030, 540);
	window_tick(&w, 6061);
	assert_string_equal(d.text, "close<101 skipdata0[6000,6060) ");
	w = start(&d, 60, 1, true, 6000);
	window_lost(&w, 0, 500, 540);
	window_tick(&w, 6061);
	assert_string_equal(d.text, "close<101 skipdata0[6000,6060) ");
}

/* Seventy windows at once: lines that say the same become one, what was seen stands in between. */
static void a_jump_with_losses(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 600);
	const uint64_t end = 600 + 70 * 60 + 1;

	(void)state;
	window_note(&w, 10, 0);
	window_lost(&w, 0, 600, end);
	window_tick(&w, end);
	assert_string_equal(d.text, "close<80 skipdata0[600,660) skipdata0[660,4800) ");
	d.text[0] = '\0';
	window_tick(&w, 4861); /* the reading was in window 80 */
	assert_string_equal(d.text, "close<81 skipdata0[4800,4860) ");

	w = start(&d, 60, 1, true, 600);
	window_note(&w, 10, 0);
	window_note(&w, 40, 0);
	window_note(&w, 41, 0);
	window_lost(&w, 0, 600 + 50 * 60, 600 + 51 * 60);
	window_tick(&w, end);
	assert_string_equal(d.text,
			    "close<80 nodata0[660,2400) nodata0[2520,3600) skipdata0[3600,3720) "
			    "nodata0[3720,4800) ");
}

static void a_jump_of_the_clock_gives_one_line(void **state)
{
	struct diary d;
	struct window w = start(&d, 60, 1, true, 600);

	(void)state;
	window_note(&w, 10, 0);
	window_tick(&w, 600 + 70 * 60 + 1);
	assert_string_equal(d.text, "close<80 nodata0[660,4800) ");
	d.text[0] = '\0';
	window_tick(&w, 500); /* back: nothing closes */
	assert_string_equal(d.text, "");
	window_tick(&w, 4861);
	assert_string_equal(d.text, "close<81 nodata0[4800,4860) ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(file_windows),
		cmocka_unit_test(live_windows),
		cmocka_unit_test(lost_packets_mark_every_window_open_since),
		cmocka_unit_test(a_stopped_sensor_marks_all_windows_between),
		cmocka_unit_test(a_window_that_was_over_at_the_last_reading_is_not_marked),
		cmocka_unit_test(losses_at_the_end_of_a_run_are_marked),
		cmocka_unit_test(a_clock_that_is_set_back_loses_no_mark),
		cmocka_unit_test(a_jump_with_losses),
		cmocka_unit_test(a_jump_of_the_clock_gives_one_line),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
