/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: built on the stack, written with one write(2), repeats limited. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 64   /* app and instance */
#define VALUE_MAX_BYTES 768 /* of one string in a line */
#define SLOTS 512           /* different (area, message) pairs that are limited at once */
#define PROBES 8

static struct {
    _Atomic int min_level;
    bool json;
    char app[NAME_MAX_BYTES];
    char instance[NAME_MAX_BYTES];
} setup = {.min_level = LOG_INFO};

/* One (area, message) pair of the current window. */
struct slot {
    uint64_t hash; /* 0 = free */
    int64_t window_start_ms;
    unsigned lines;
    unsigned suppressed;
};

static struct slot slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level min, bool json, const char *app, const char *instance)
{
    setup.json = json;
    (void)snprintf(setup.app, sizeof setup.app, "%s", app == NULL ? "" : app);
    (void)snprintf(setup.instance, sizeof setup.instance, "%s", instance == NULL ? "" : instance);
    atomic_store(&setup.min_level, (int)min);
}

bool log_level_parse(const char *name, enum log_level *out_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(LEVELS); i++) {
        if (strcmp(name, LEVELS[i]) == 0) {
            *out_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&setup.min_level, memory_order_relaxed);
}

/* The pair's slot, else one whose window is over, else NULL: a full table limits nothing rather than losing lines. */
static struct slot *slot_find(uint64_t hash, int64_t now_ms)
{
    struct slot *reusable = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct slot *s = &slots[(hash + i) % SLOTS];
        if (s->hash == hash) {
            return s;
        }
        bool over = s->hash == 0 || now_ms - s->window_start_ms >= LOG_WINDOW_MS;
        if (reusable == NULL && over) {
            reusable = s;
        }
    }
    if (reusable != NULL) {
        *reusable = (struct slot){.hash = hash, .window_start_ms = now_ms};
    }
    return reusable;
}

static bool may_write(const char *area, const char *msg, unsigned *out_suppressed)
{
    uint64_t hash = hash_bytes(hash_bytes(HASH_START, area, strlen(area) + 1), msg, strlen(msg)) | 1U;
    int64_t now_ms = clock_mono_ms();
    bool pass = true;
    (void)pthread_mutex_lock(&slots_lock);
    struct slot *s = slot_find(hash, now_ms);
    if (s != NULL) {
        if (now_ms - s->window_start_ms >= LOG_WINDOW_MS) {
            s->window_start_ms = now_ms;
            s->lines = 0;
        }
        pass = s->lines < LOG_BURST;
        if (pass) {
            s->lines++;
            *out_suppressed = s->suppressed;
            s->suppressed = 0;
        } else {
            s->suppressed++;
        }
    }
    (void)pthread_mutex_unlock(&slots_lock);
    return pass;
}

/* A quoted string: JSON's rules serve logfmt as well. */
static void add_quoted(struct buf *line, const char *value)
{
    size_t n = strlen(value);
    (void)buf_json_string(line, value, n > VALUE_MAX_BYTES ? VALUE_MAX_BYTES : n);
}

static bool is_bare_word(const char *s)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-,*";
    size_t n = strlen(s);
    return n > 0 && n <= VALUE_MAX_BYTES && strspn(s, bare) == n;
}

static void add_key(struct buf *line, const char *key)
{
    bool first = line->len == 0;
    if (setup.json) {
        (void)buf_puts(line, first ? "{" : ",");
        add_quoted(line, key);
        (void)buf_putc(line, ':');
    } else {
        (void)buf_printf(line, "%s%s=", first ? "" : " ", key);
    }
}

static void add_string(struct buf *line, const char *key, const char *value)
{
    const char *text = value == NULL ? "" : value;
    size_t start = line->len;
    add_key(line, key);
    if (!setup.json && is_bare_word(text)) {
        (void)buf_puts(line, text);
    } else {
        add_quoted(line, text);
    }
    if (line->overflow) { /* no room for this pair: leave it out whole, the line stays well-formed */
        line->overflow = false;
        line->len = start;
    }
}

static void add_int(struct buf *line, const char *key, int64_t value)
{
    size_t start = line->len;
    add_key(line, key);
    if (!buf_printf(line, "%lld", (long long)value)) {
        line->overflow = false;
        line->len = start;
    }
}

static void add_kv(struct buf *line, const struct log_kv *kv)
{
    switch (kv->type) {
    case LOG_KV_STR:
        add_string(line, kv->key, kv->str);
        return;
    case LOG_KV_INT:
        add_int(line, kv->key, kv->num);
        return;
    case LOG_KV_ERR:
        add_string(line, "reaction", rc_name(kv->err->rc));
        if (kv->err->code[0] != '\0') {
            add_string(line, "code", kv->err->code);
        }
        add_string(line, kv->key, kv->err->text);
        return;
    }
}

static void add_head(struct buf *line, enum log_level level, const char *area, const char *msg)
{
    char ts[CLOCK_RFC3339_MAX];
    clock_rfc3339(clock_utc_us(), ts);
    (void)snprintf(ts + strlen(ts) - 4, 3, "Z"); /* milliseconds are enough here */
    add_string(line, "ts", ts);
    add_string(line, "level", LEVELS[level]);
    add_string(line, "area", area);
    add_string(line, "msg", msg);
    if (setup.app[0] != '\0') {
        add_string(line, "app", setup.app);
    }
    if (setup.instance[0] != '\0') {
        add_string(line, "instance", setup.instance);
    }
}

void log_write(enum log_level level, const char *area, const char *msg, ...)
{
    unsigned suppressed = 0;
    if (!log_enabled(level) || !may_write(area, msg, &suppressed)) {
        return;
    }
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LOG_LINE_MAX - 64); /* suppressed=, brace and newline always find room */
    add_head(&line, level, area, msg);
    va_list ap;
    va_start(ap, msg);
    for (struct log_kv kv = va_arg(ap, struct log_kv); kv.key != NULL; kv = va_arg(ap, struct log_kv)) {
        add_kv(&line, &kv);
    }
    va_end(ap);
    line.max = LOG_LINE_MAX;
    if (suppressed > 0) {
        add_int(&line, "suppressed", suppressed);
    }
    (void)buf_puts(&line, setup.json ? "}\n" : "\n");
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* stderr gone: there is nobody left to tell */
}
