/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts file: sections are channels, their members accounts. */
#include "channel/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/suggest.h"
#include "channel/account_file.h"
#include "http/body.h"

#define DEPTH_MAX 8
#define VALUES_MAX 65536
#define ARENA_BYTES ((size_t)64 << 10)

struct accounts {
    struct account *items; /* by channel, then by name */
    size_t n, room;
};

/* What is read: all of the file, or one account of it. */
struct reading {
    struct accounts *accounts;
    const char *directory;
    struct arena *arena;
    const char *name; /* NULL = all */
    enum channel channel;
};

struct accounts *accounts_free(struct accounts *accounts)
{
    if (accounts != NULL) {
        for (size_t i = 0; i < accounts->n; i++) {
            CHANNEL_OPS[accounts->items[i].channel].free(accounts->items[i].own);
        }
        free(accounts->items);
        free(accounts);
    }
    return NULL;
}

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

size_t accounts_count(const struct accounts *accounts)
{
    return accounts->n;
}

struct account *accounts_at(const struct accounts *accounts, size_t i)
{
    return &accounts->items[i];
}

static int compare(const void *a, const void *b)
{
    const struct account *x = a;
    const struct account *y = b;
    return x->channel != y->channel ? (x->channel < y->channel ? -1 : 1) : strcmp(x->name, y->name);
}

struct account *accounts_find(const struct accounts *accounts, enum channel channel, const char *name)
{
    size_t low = 0;
    size_t high = accounts->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct account *a = &accounts->items[middle];
        int way = a->channel != channel ? (a->channel < channel ? -1 : 1) : strcmp(a->name, name);
        if (way == 0) {
            return a;
        }
        low = way < 0 ? middle + 1 : low;
        high = way < 0 ? high : middle;
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- accounts */

static enum rc config_error(struct err *err, const char *where, const char *what)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", where, what);
    return err_code(err, ERR_CONFIG);
}

static bool name_ok(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n <= ACCOUNT_NAME_MAX && name[n] == '\0';
}

static enum rc read_list(struct account_reader *r, const char *path, struct account *account, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 0);
    if (path == NULL) {
        return RC_OK;
    }
    TRY(account_file(r, "ip_allow_file", path, false, &text, err));
    if (memchr(buf_str(&text), '\0', text.len) != NULL) {
        return account_fail(r, "ip_allow_file", err, "%s: expected networks, one a line", path);
    }
    account->has_list = true;
    return net_list_parse(buf_str(&text), &account->list, err) == RC_OK ? RC_OK
                                                                        : account_wrap(r, "ip_allow_file", path, err);
}

static bool policy_ok(const char *policy)
{
    return strcmp(policy, "enforce") == 0 || strcmp(policy, "report") == 0;
}

/* What is made of it is in account->own, also after an error. */
static enum rc read_account(struct account_reader *r, struct account *account, struct err *err)
{
    struct fields *f = &r->fields;
    const char *list = account_path(r, "ip_allow_file", FIELD_OPTIONAL);
    const char *policy = field_text(f, "ip_policy", FIELD_OPTIONAL, 16, policy_ok, "enforce or report");
    account->enforce = policy != NULL && strcmp(policy, "enforce") == 0;
    TRY(CHANNEL_OPS[account->channel].read(r, &account->own, err));
    TRY(account_members_end(r, err));
    if (account->enforce && list == NULL) {
        return account_fail(r, "ip_policy", err, "enforce needs ip_allow_file, the networks to take calls from");
    }
    return read_list(r, list, account, err);
}

static enum rc add_account(const struct reading *reading, enum channel channel, struct body_value *v, struct err *err)
{
    struct accounts *accounts = reading->accounts;
    char where[PROBLEM_FIELD_MAX];
    char path[PROBLEM_FIELD_MAX];
    struct problem problem = {0};
    (void)snprintf(where, sizeof where, "%s.%.64s", channel_name(channel), v->key);
    (void)snprintf(path, sizeof path, "%s.%.64s.", channel_name(channel), v->key);
    if (!name_ok(v->key)) {
        return config_error(err, where, "expected an account's name: 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    if (v->type != BODY_OBJECT) {
        return config_error(err, where, "expected an object: the account's members");
    }
    struct account_reader r = {
        .directory = reading->directory, .arena = reading->arena, .where = where, .lenient = reading->name != NULL};
    struct account account = {.channel = channel};
    fields_begin(&r.fields, v, path, &problem);
    (void)snprintf(account.name, sizeof account.name, "%s", v->key);
    enum rc rc = read_account(&r, &account, err);
    if (rc != RC_OK) {
        CHANNEL_OPS[channel].free(account.own);
        return rc;
    }
    if (accounts->n == accounts->room) {
        accounts->room = accounts->room == 0 ? 8 : 2 * accounts->room;
        accounts->items = xrealloc(accounts->items, accounts->room * sizeof *accounts->items);
    }
    accounts->items[accounts->n++] = account;
    return RC_OK;
}

/* ----------------------------------------------------------------------------------------------------- sections */

static enum rc unknown_section(const char *name, struct err *err)
{
    struct suggest near;
    suggest_init(&near, name);
    for (int i = 0; i < CHANNELS_N; i++) {
        suggest_offer(&near, channel_name((enum channel)i));
    }
    (void)err_set(
        err, RC_FATAL, __FILE__, __LINE__, "%.64s: expected wechat, alipay, appstore, applepay or express%s%s%s", name,
        near.best == NULL ? "" : "; did you mean ", near.best == NULL ? "" : near.best, near.best == NULL ? "" : "?");
    return err_code(err, ERR_CONFIG);
}

static bool wanted(const struct reading *reading, enum channel channel, const char *name)
{
    return reading->name == NULL || (channel == reading->channel && strcmp(name, reading->name) == 0);
}

static enum rc read_section(const struct reading *reading, struct body_value *section, struct err *err)
{
    int channel = channel_find(section->key);
    if (channel < 0) {
        return unknown_section(section->key, err);
    }
    if (section->type != BODY_OBJECT) {
        return config_error(err, section->key, "expected an object: account to members");
    }
    if (CHANNEL_OPS[channel].read == NULL) {
        return config_error(err, section->key, "this channel is not served yet");
    }
    for (struct body_value *v = section->first; v != NULL; v = v->next) {
        if (wanted(reading, (enum channel)channel, v->key)) {
            TRY(add_account(reading, (enum channel)channel, v, err));
        }
    }
    return RC_OK;
}

static enum rc read_sections(const struct buf *text, const struct reading *reading, struct err *err)
{
    static const struct body_limits LIMITS = {.depth = DEPTH_MAX, .members = ACCOUNTS_MAX, .values = VALUES_MAX};
    struct problem problem = {0};
    struct body_value *root = NULL;
    if (body_parse_within(&LIMITS, buf_str(text), text->len, reading->arena, &root, &problem) != RC_OK) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s", problem.detail);
        return err_code(err, ERR_CONFIG);
    }
    if (root->type != BODY_OBJECT) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "expected a JSON object: channel to accounts");
        return err_code(err, ERR_CONFIG);
    }
    for (struct body_value *v = root->first; v != NULL; v = v->next) {
        TRY(read_section(reading, v, err));
    }
    return RC_OK;
}

/* The directory of the file, for files named in it; heap memory of the caller. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return xstrdup(".");
    }
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static enum rc read_text(const char *path, struct buf *out, struct err *err)
{
    char piece[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, piece, sizeof piece);
    for (; n > 0 || (n < 0 && errno == EINTR); n = read(fd, piece, sizeof piece)) {
        if (n > 0 && !buf_add(out, piece, (size_t)n)) {
            break;
        }
    }
    int why = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s", strerror(why));
        return err_code(err, ERR_CONFIG);
    }
    if (out->overflow) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "more than %zu bytes", out->max);
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc read_file(const char *path, enum channel channel, const char *name, struct accounts **out_accounts,
                         struct err *err)
{
    CLEANUP(accounts_freep) struct accounts *accounts = xcalloc(1, sizeof *accounts);
    CLEANUP(arena_done) struct arena arena;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(freep) char *directory = directory_of(path);
    const struct reading reading = {
        .accounts = accounts, .directory = directory, .arena = &arena, .name = name, .channel = channel};
    arena_init(&arena, ARENA_BYTES);
    buf_init(&text, ACCOUNTS_FILE_BYTES_MAX);
    enum rc rc = read_text(path, &text, err);
    if (rc == RC_OK) {
        rc = read_sections(&text, &reading, err);
    }
    if (rc != RC_OK) {
        return err_prefix(err, "%.300s", path);
    }
    if (accounts->n > 1) {
        qsort(accounts->items, accounts->n, sizeof *accounts->items, compare);
    }
    *out_accounts = accounts;
    accounts = NULL;
    return RC_OK;
}

enum rc accounts_read(const char *path, struct accounts **out_accounts, struct err *err)
{
    return read_file(path, CHANNEL_WECHAT, NULL, out_accounts, err);
}

enum rc accounts_read_one(const char *path, enum channel channel, const char *name, struct accounts **out_accounts,
                          struct err *err)
{
    return read_file(path, channel, name, out_accounts, err);
}
