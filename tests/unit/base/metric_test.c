/* SPDX-License-Identifier: Apache-2.0 */
/* The text that Prometheus reads. */
#include "base/metric.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

static char *render(void)
{
    struct buf out;
    buf_init(&out, (size_t)8 << 20);
    metrics_render(&out);
    return buf_take(&out);
}

Test(metric, the_same_name_and_labels_are_one_series)
{
    struct metric *a = metric_counter("t_total", "Help.", "source=\"%s\"", "a");
    struct metric *b = metric_counter("t_total", "Help.", "source=\"%s\"", "b");
    cr_assert_eq(a, metric_counter("t_total", "Help.", "source=\"%s\"", "a"));
    cr_assert_neq(a, b);
    metric_inc(a);
    metric_add(a, 2.5);
    cr_assert_eq(metric_value(a), 3.5);
    cr_assert_eq(metric_value(b), 0);
}

Test(metric, help_and_type_come_once_a_family)
{
    metric_set(metric_gauge("g", "One\\two.", NULL), -1);
    metric_inc(metric_counter("c_total", "C.", "x=\"%d\"", 1));
    metric_inc(metric_counter("c_total", "C.", "x=\"%d\"", 2));
    CLEANUP(freep) char *text = render();
    cr_assert_str_eq(text, "# HELP g One\\\\two.\n# TYPE g gauge\ng -1\n"
                           "# HELP c_total C.\n# TYPE c_total counter\nc_total{x=\"1\"} 1\nc_total{x=\"2\"} 1\n");
}

Test(metric, histogram_buckets_are_cumulative_and_bounds_inclusive)
{
    static const double bounds[] = {0.1, 1};
    struct metric *m = metric_histogram("h_seconds", "H.", bounds, 2, "op=\"%s\"", "w");
    metric_observe(m, 0.1);
    metric_observe(m, 0.5);
    metric_observe(m, 7);
    CLEANUP(freep) char *text = render();
    cr_assert_str_eq(text, "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
                           "h_seconds_bucket{op=\"w\",le=\"0.1\"} 1\n"
                           "h_seconds_bucket{op=\"w\",le=\"1\"} 2\n"
                           "h_seconds_bucket{op=\"w\",le=\"+Inf\"} 3\n"
                           "h_seconds_sum{op=\"w\"} 7.6\n"
                           "h_seconds_count{op=\"w\"} 3\n");
}

Test(metric, large_and_odd_numbers_are_readable)
{
    metric_set(metric_gauge("big", "B.", NULL), 9007199254740992.0);
    metric_set(metric_gauge("nan", "N.", NULL), (double)NAN);
    metric_set(metric_gauge("inf", "I.", NULL), (double)INFINITY);
    CLEANUP(freep) char *text = render();
    cr_assert_not_null(strstr(text, "\nbig 9007199254740992\n"));
    cr_assert_not_null(strstr(text, "\nnan NaN\n"));
    cr_assert_not_null(strstr(text, "\ninf +Inf\n"));
}

Test(metric, series_beyond_the_limit_share_one)
{
    for (int i = 0; i < METRIC_SERIES_MAX; i++) {
        metric_inc(metric_counter("many_total", "M.", "i=\"%d\"", i));
    }
    struct metric *extra = metric_counter("many_total", "M.", "i=\"x\"");
    cr_assert_eq(extra, metric_counter("many_total", "M.", "i=\"y\""));
    metric_inc(extra);
    CLEANUP(freep) char *text = render();
    cr_assert_not_null(strstr(text, "many_total{overflow=\"true\"} 1\n"));
    cr_assert_null(strstr(text, "i=\"x\""));
}

Test(metric, label_values_are_escaped_and_cut_at_characters)
{
    char out[64];
    cr_assert_str_eq(metric_label("a\"b\\c\nd", out, sizeof out), "a\\\"b\\\\c\\nd");
    cr_assert_str_eq(metric_label("\xff!", out, sizeof out), "?!");
    char small[4];
    cr_assert_str_eq(metric_label("ab\xe2\x82\xac", small, sizeof small), "ab");
    cr_assert_str_eq(metric_label("abc\"", small, sizeof small), "abc");
}

static void *add_many(void *opaque)
{
    for (int i = 0; i < 100000; i++) {
        metric_inc(opaque);
    }
    return NULL;
}

Test(metric, no_increment_is_lost_between_threads)
{
    struct metric *m = metric_counter("threads_total", "T.", NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, add_many, m), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_assert_eq(metric_value(m), 400000);
}
