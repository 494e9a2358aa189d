/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of metrics: families, their series, and the text that Prometheus reads. */
#include "base/metric.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LABELS_MAX 1024
#define OVERFLOW_LABELS "overflow=\"true\""

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct metric {
    struct metric *next;
    struct family *family;
    char *labels;              /* text between the braces, "" = none */
    _Atomic double value;      /* counter, gauge; histogram: the sum */
    _Atomic uint64_t *buckets; /* histogram: n_bounds + 1, not cumulative */
};

struct family {
    struct family *next;
    const char *name;
    const char *help;
    enum kind kind;
    const double *bounds;
    size_t n_bounds;
    struct metric *first;
    struct metric *last;
};

static struct family *families;
static size_t n_series;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the lists; values are atomic */

const double METRIC_SECONDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
const size_t METRIC_SECONDS_N = ARRAY_SIZE(METRIC_SECONDS);

/* Families stay in the order of first use: what belongs together is shown together. */
static struct family *family_get(const char *name, const char *help, enum kind kind)
{
    struct family **at = &families;
    for (; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            if ((*at)->kind != kind) {
                (void)fprintf(stderr, "sluice: metric %s is used with two types\n", name);
                abort();
            }
            return *at;
        }
    }
    *at = xcalloc(1, sizeof **at);
    **at = (struct family){.name = name, .help = help, .kind = kind};
    return *at;
}

static struct metric *series_find(const struct family *f, const char *labels)
{
    for (struct metric *m = f->first; m != NULL; m = m->next) {
        if (strcmp(m->labels, labels) == 0) {
            return m;
        }
    }
    return NULL;
}

static struct metric *series_create(struct family *f, const char *labels)
{
    struct metric *m = xcalloc(1, sizeof *m);
    m->family = f;
    m->labels = xstrdup(labels);
    if (f->kind == HISTOGRAM) {
        m->buckets = xcalloc(f->n_bounds + 1, sizeof *m->buckets);
    }
    if (f->last == NULL) {
        f->first = m;
    } else {
        f->last->next = m;
    }
    f->last = m;
    n_series++;
    return m;
}

static struct metric *series_get(struct family *f, const char *labels)
{
    struct metric *m = series_find(f, labels);
    if (m == NULL && n_series >= METRIC_SERIES_MAX) {
        labels = OVERFLOW_LABELS;
        m = series_find(f, labels);
    }
    return m == NULL ? series_create(f, labels) : m;
}

static void labels_format(char *out, size_t out_size, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void labels_format(char *out, size_t out_size, const char *fmt, va_list ap)
{
    out[0] = '\0';
    if (fmt == NULL) {
        return;
    }
    int n = vsnprintf(out, out_size, fmt, ap);
    if (n < 0 || (size_t)n >= out_size) {
        (void)snprintf(out, out_size, OVERFLOW_LABELS); /* half a label set would be refused by every reader */
    }
}

struct metric *metric_counter(const char *name, const char *help, const char *labels_fmt, ...)
{
    char labels[LABELS_MAX];
    va_list ap;
    va_start(ap, labels_fmt);
    labels_format(labels, sizeof labels, labels_fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&lock);
    struct metric *m = series_get(family_get(name, help, COUNTER), labels);
    (void)pthread_mutex_unlock(&lock);
    return m;
}

struct metric *metric_gauge(const char *name, const char *help, const char *labels_fmt, ...)
{
    char labels[LABELS_MAX];
    va_list ap;
    va_start(ap, labels_fmt);
    labels_format(labels, sizeof labels, labels_fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&lock);
    struct metric *m = series_get(family_get(name, help, GAUGE), labels);
    (void)pthread_mutex_unlock(&lock);
    return m;
}

struct metric *metric_histogram(const char *name, const char *help, const double *bounds, size_t n_bounds,
                                const char *labels_fmt, ...)
{
    char labels[LABELS_MAX];
    va_list ap;
    va_start(ap, labels_fmt);
    labels_format(labels, sizeof labels, labels_fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&lock);
    struct family *f = family_get(name, help, HISTOGRAM);
    if (f->bounds == NULL) {
        f->bounds = bounds;
        f->n_bounds = n_bounds;
    }
    struct metric *m = series_get(f, labels);
    (void)pthread_mutex_unlock(&lock);
    return m;
}

void metric_add(struct metric *m, double v)
{
    double old = atomic_load_explicit(&m->value, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(&m->value, &old, old + v, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void metric_inc(struct metric *m)
{
    metric_add(m, 1);
}

void metric_set(struct metric *m, double v)
{
    atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

void metric_observe(struct metric *m, double v)
{
    size_t i = 0;
    while (i < m->family->n_bounds && v > m->family->bounds[i]) {
        i++;
    }
    (void)atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
    metric_add(m, v);
}

double metric_value(const struct metric *m)
{
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

const char *metric_label(const char *s, char *out, size_t out_size)
{
    size_t at = 0;
    size_t left = strlen(s);
    while (left > 0) {
        size_t n = utf8_sequence(s, left);
        const char *piece = s;
        size_t piece_n = n;
        if (n == 0) { /* the format is UTF-8; one bad byte would cost the whole page */
            piece = "?";
            piece_n = 1;
            n = 1;
        } else if (*s == '\\' || *s == '"' || *s == '\n') {
            piece = *s == '\\' ? "\\\\" : (*s == '"' ? "\\\"" : "\\n");
            piece_n = 2;
        }
        if (at + piece_n >= out_size) {
            break;
        }
        memcpy(out + at, piece, piece_n);
        at += piece_n;
        s += n;
        left -= n;
    }
    out[at] = '\0';
    return out;
}

static void add_number(struct buf *out, double v)
{
    if (isnan(v)) {
        (void)buf_puts(out, "NaN");
    } else if (isinf(v)) {
        (void)buf_puts(out, v > 0 ? "+Inf" : "-Inf");
    } else {
        char text[40];
        (void)snprintf(text, sizeof text, "%.15g", v);
        if (strtod(text, NULL) < v || strtod(text, NULL) > v) { /* 15 digits read well, 17 lose nothing */
            (void)snprintf(text, sizeof text, "%.17g", v);
        }
        (void)buf_puts(out, text);
    }
}

static void add_sample(struct buf *out, const char *name, const char *suffix, const char *labels, double v)
{
    (void)buf_printf(out, "%s%s", name, suffix);
    if (labels[0] != '\0') {
        (void)buf_printf(out, "{%s}", labels);
    }
    (void)buf_putc(out, ' ');
    add_number(out, v);
    (void)buf_putc(out, '\n');
}

static void render_histogram(struct buf *out, const struct family *f, const struct metric *m)
{
    const char *comma = m->labels[0] == '\0' ? "" : ",";
    uint64_t total = 0;
    for (size_t i = 0; i <= f->n_bounds; i++) {
        total += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        (void)buf_printf(out, "%s_bucket{%s%sle=\"", f->name, m->labels, comma);
        add_number(out, i < f->n_bounds ? f->bounds[i] : (double)INFINITY);
        (void)buf_printf(out, "\"} %llu\n", (unsigned long long)total);
    }
    add_sample(out, f->name, "_sum", m->labels, metric_value(m));
    add_sample(out, f->name, "_count", m->labels, (double)total);
}

/* In HELP a backslash and a line feed are escaped, quotes are not. */
static void add_help(struct buf *out, const char *help)
{
    for (; *help != '\0'; help++) {
        if (*help == '\\') {
            (void)buf_puts(out, "\\\\");
        } else if (*help == '\n') {
            (void)buf_puts(out, "\\n");
        } else {
            (void)buf_putc(out, *help);
        }
    }
}

void metrics_render(struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    (void)pthread_mutex_lock(&lock);
    for (const struct family *f = families; f != NULL; f = f->next) {
        (void)buf_printf(out, "# HELP %s ", f->name);
        add_help(out, f->help);
        (void)buf_printf(out, "\n# TYPE %s %s\n", f->name, types[f->kind]);
        for (const struct metric *m = f->first; m != NULL; m = m->next) {
            if (f->kind == HISTOGRAM) {
                render_histogram(out, f, m);
            } else {
                add_sample(out, f->name, "", m->labels, metric_value(m));
            }
        }
    }
    (void)pthread_mutex_unlock(&lock);
}
