/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reaction and the cause.
 *
 * Every fallible function returns an `enum rc` that says how to react, and records the cause in a
 * `struct err` that lives on the caller's stack and is the last parameter. A struct err is written
 * only when something fails; after RC_OK its content is unspecified.
 *
 * Exactly two macros exist: TRY hands a failure up, FAIL makes one.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

enum rc {
    RC_OK = 0,
    RC_RETRY,  /* try the same thing again later: a dependency is away or busy */
    RC_REJECT, /* this input can never work: dead letter or a refusal, neighbours go on */
    RC_FENCED, /* another instance owns this now: leave without committing */
    RC_FATAL,  /* this process cannot go on: a supervisor restarts it */
};

#define ERR_TEXT_MAX 512
/* The code of errors that only a change of the configuration can cure: commands and roles then exit with 78. */
#define ERR_CONFIG "config"
#define ERR_CODE_MAX 48

struct err {
    enum rc rc;
    const char *file; /* static string */
    int line;
    char code[ERR_CODE_MAX]; /* the foreign code: SQLSTATE, Kafka error name, HTTP status; may be "" */
    char text[ERR_TEXT_MAX]; /* one line, no secrets, no trailing newline */
};

/* Fills *err (may be NULL) and returns rc. Text longer than ERR_TEXT_MAX - 1 is cut; control characters become spaces.
 */
enum rc err_set(struct err *err, enum rc rc, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(5, 6);
enum rc err_setv(struct err *err, enum rc rc, const char *file, int line, const char *fmt, va_list ap)
    PRINTF_LIKE(5, 0);

/* Puts "prefix: " before the text that is already there. Returns err->rc. */
enum rc err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the foreign code. Returns err->rc, so that `return err_code(...)` reads well after err_set. */
enum rc err_code(struct err *err, const char *code);

/* Is this one of the errors that a change of the configuration must cure? */
bool err_is_config(const struct err *err);

/* "ok", "retry", "reject", "fenced", "fatal"; static. */
const char *rc_name(enum rc rc);

/* For the rare place that does not care. gcc does not take (void) for an answer, clang does. */
static inline void rc_ignore(enum rc rc)
{
    (void)rc;
}

#define TRY(call)                 \
    do {                          \
        enum rc try_rc_ = (call); \
        if (try_rc_ != RC_OK) {   \
            return try_rc_;       \
        }                         \
    } while (0)

#define FAIL(err, rc, ...) return err_set((err), (rc), __FILE__, __LINE__, __VA_ARGS__)

#endif
