/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line per decision, to stderr: logfmt by default, JSON by option.
 *
 *     ts=2026-11-22T20:37:20.123Z level=info area=relay msg="took over" source=callback epoch=3
 *
 * Library code fills a struct err and does not log above debug; the loop of a role logs once, where it
 * decides. No payloads, no secrets. Repeats of the same (area, message) are limited to LOG_BURST lines
 * in LOG_WINDOW_MS; the next line that passes carries suppressed=N.
 *
 * Thread: all functions from any thread.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOG_BURST 10
#define LOG_WINDOW_MS 10000
#define LOG_LINE_MAX 4096 /* bytes with the newline; longer values are cut, so that a line is one write(2) */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* One key=value of a line. Build with the KV_ functions; strings are copied before log_write returns. */
struct log_kv {
    const char *key; /* NULL ends the list */
    enum { LOG_KV_STR, LOG_KV_INT, LOG_KV_ERR } type;
    const char *str; /* NULL prints as empty */
    int64_t num;
    const struct err *err;
};

static inline struct log_kv KV_S(const char *key, const char *value) {
    return (struct log_kv){.key = key, .type = LOG_KV_STR, .str = value};
} static inline struct log_kv KV_I(const char *key, int64_t value) {
    return (struct log_kv){.key = key, .type = LOG_KV_INT, .num = value};
}
/* Prints reaction=, code= (when there is one) and error=. */
static inline struct log_kv
KV_ERR(const struct err *err) {
    return (struct log_kv){.key = "error", .type = LOG_KV_ERR, .err = err};
}
#define KV_END ((struct log_kv){0})

/* Process-wide; call once before threads start. app and instance appear in each line when not NULL (they are copied). */
void log_setup(enum log_level min, bool json, const char *app, const char *instance);
bool log_level_parse(const char *name, enum log_level *out_level);
bool log_enabled(enum log_level level);

/* msg, then struct log_kv values up to KV_END. */
void log_write(enum log_level level, const char *area, const char *msg, ...);

#define log_debug(area, ...) log_write(LOG_DEBUG, area, __VA_ARGS__, KV_END)
#define log_info(area, ...) log_write(LOG_INFO, area, __VA_ARGS__, KV_END)
#define log_warn(area, ...) log_write(LOG_WARN, area, __VA_ARGS__, KV_END)
#define log_error(area, ...) log_write(LOG_ERROR, area, __VA_ARGS__, KV_END)

#endif
