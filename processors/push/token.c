/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that keeps tokens, and the loop's view of them. */
#include "push/token.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "push/token_ask.h"
#include "push/token_row.h"

#define AREA "push"
#define STATEMENT_TIMEOUT_MS 3000
#define BACKOFF_BASE_MS 250
#define BACKOFF_MAX_MS 30000
#define REFUSED_PAUSE_MS 10000 /* between two requests with a credential that is refused */
#define RENEWED_PAUSE_MS 1000  /* between two tokens of one provider */
#define LOOK_MS 30000

struct slot {
    struct token_owner owner; /* constant, as the next three */
    char *name;
    const struct provider_kind *kind;
    const void *self;

    /* Under the lock: */
    struct push_token fresh;
    uint64_t version;
    int64_t useless_until_us; /* tokens obtained up to then are refused */
    char problem[ERR_TEXT_MAX];
    bool credential_refused;

    /* The thread's: */
    int failures;
    int64_t next_ms; /* monotonic */

    /* The loop's: */
    struct push_token shown;
    uint64_t shown_version;
};

struct push_tokens {
    struct push_tokens_options opt;
    char *url, *schema;
    struct slot slots[PUSH_TOKENS_MAX];
    size_t n;
    uv_async_t async;
    bool started;
    pthread_t thread;
    struct fetcher *fetcher;
    PGconn *conn; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    void (*closed)(void *opaque);
    void *closed_opaque;
};

/* ---------------------------------------------------------------------------------------------------- the thread */

/* Ahead of its end, but not before half of its life is over: a provider may give short ones. */
static int64_t renew_at_us(const struct slot *s, const struct push_token *token)
{
    int64_t half_us = (token->expires_us - token->obtained_us) / 2;
    return token->expires_us - (s->kind->renew_ahead_us < half_us ? s->kind->renew_ahead_us : half_us);
}

/* Good for so long that nobody need renew it now. */
static bool is_good(const struct slot *s, const struct push_token *token, int64_t useless_until_us)
{
    return token->text != NULL && token->obtained_us > useless_until_us && renew_at_us(s, token) > clock_utc_us();
}

static enum rc open_session(struct push_tokens *t, struct err *err)
{
    const struct pg_options opt = {
        .app = "sluice push tokens", .schema = t->schema, .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    return t->conn != NULL ? RC_OK : pg_open(t->url, &opt, &t->conn, err);
}

/* With the row locked: what another instance has got meanwhile, or one of our own. */
static enum rc renew_locked(struct push_tokens *t, const struct slot *s, int64_t useless_until_us,
                            struct push_token *out, struct err *err)
{
    struct err ignored;

    TRY(token_row_lock(t->conn, &s->owner, out, err));
    if (is_good(s, out, useless_until_us)) {
        return token_row_end(t->conn, &s->owner, NULL, err);
    }
    push_token_done(out);
    enum rc rc = token_obtain(t->fetcher, s->kind, s->self, out, err);
    if (rc != RC_OK) {
        rc_ignore(token_row_end(t->conn, &s->owner, NULL, &ignored));
        return rc;
    }
    /* A token that could not be stored is good for us all the same, but not for the others; they would ask again. */
    rc = token_row_end(t->conn, &s->owner, out, err);
    if (rc != RC_OK) {
        push_token_done(out);
    }
    return rc;
}

static enum rc renew(struct push_tokens *t, const struct slot *s, int64_t useless_until_us, struct push_token *out,
                     struct err *err)
{
    TRY(open_session(t, err));
    TRY(token_row_read(t->conn, &s->owner, out, err));
    if (is_good(s, out, useless_until_us)) {
        return RC_OK;
    }
    push_token_done(out);
    return renew_locked(t, s, useless_until_us, out, err);
}

/* Under the lock. Takes the token. */
static void publish(struct push_tokens *t, struct slot *s, enum rc rc, struct push_token *token, const struct err *err)
{
    if (rc == RC_OK) {
        push_token_done(&s->fresh);
        s->fresh = *token;
        s->version++;
        s->problem[0] = '\0';
        s->credential_refused = false;
    } else {
        (void)snprintf(s->problem, sizeof s->problem, "%s", err->text);
        s->credential_refused = rc == RC_REJECT;
    }
    (void)uv_async_send(&t->async);
}

static int64_t pause_after(struct slot *s, enum rc rc, const struct err *err)
{
    if (rc == RC_OK) {
        s->failures = 0;
        return RENEWED_PAUSE_MS;
    }
    if (rc == RC_REJECT) {
        return REFUSED_PAUSE_MS;
    }
    if (strcmp(err->code, "55P03") == 0) { /* another instance asks */
        return BACKOFF_BASE_MS;
    }
    s->failures += s->failures < 16 ? 1 : 0;
    return clock_backoff_ms(s->failures - 1, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
}

static void say(const struct slot *s, enum rc rc, const struct err *err)
{
    if (rc == RC_OK) {
        log_info(AREA, "has a token", KV_S("provider", s->name));
    } else if (strcmp(err->code, "55P03") != 0) {
        log_warn(AREA, rc == RC_REJECT ? "the credential of a provider is refused" : "no token for a provider",
                 KV_S("provider", s->name), KV_S("why", err->text));
    }
}

/* One look at one provider, out of the lock. */
static void tend(struct push_tokens *t, struct slot *s)
{
    struct push_token token = {0};
    struct err err = {0};
    int64_t useless_until_us = s->useless_until_us;

    (void)pthread_mutex_unlock(&t->lock);
    enum rc rc = renew(t, s, useless_until_us, &token, &err);
    if (rc != RC_OK && t->conn != NULL && (PQtransactionStatus(t->conn) != PQTRANS_IDLE || err.rc == RC_FATAL)) {
        pg_close(t->conn); /* whatever is open in it ends with it */
        t->conn = NULL;
    }
    say(s, rc, &err);
    s->next_ms = clock_mono_ms() + pause_after(s, rc, &err);
    (void)pthread_mutex_lock(&t->lock);
    publish(t, s, rc, &token, &err);
}

/* When it is to be looked at, monotonic. Under the lock. */
static int64_t due_ms(const struct slot *s)
{
    int64_t now = clock_mono_ms();
    int64_t left_ms = LOOK_MS;

    if (s->fresh.text == NULL || s->fresh.obtained_us <= s->useless_until_us) {
        left_ms = 0;
    } else {
        int64_t ms = (renew_at_us(s, &s->fresh) - clock_utc_us()) / 1000;
        left_ms = ms < 0 ? 0 : (ms < LOOK_MS ? ms + 1 : LOOK_MS);
    }
    return now + left_ms > s->next_ms ? now + left_ms : s->next_ms;
}

static void *keep(void *opaque)
{
    struct push_tokens *t = opaque;

    (void)pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        int64_t first = clock_mono_ms() + LOOK_MS;
        struct slot *next = NULL;
        for (size_t i = 0; i < t->n; i++) {
            int64_t due = due_ms(&t->slots[i]);
            next = due < first ? &t->slots[i] : next;
            first = due < first ? due : first;
        }
        if (next != NULL && first <= clock_mono_ms()) {
            tend(t, next);
            continue;
        }
        struct timespec until = clock_deadline(first - clock_mono_ms());
        (void)pthread_cond_timedwait(&t->wake, &t->lock, &until);
    }
    (void)pthread_mutex_unlock(&t->lock);
    pg_close(t->conn);
    t->conn = NULL;
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------- the loop */

static void on_async(uv_async_t *async)
{
    struct push_tokens *t = async->data;

    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++) {
        struct slot *s = &t->slots[i];
        if (s->version != s->shown_version && s->fresh.text != NULL) {
            push_token_done(&s->shown);
            s->shown = s->fresh;
            s->shown.text = xstrdup(s->fresh.text);
            s->shown_version = s->version;
        }
    }
    bool stop = t->stop;
    (void)pthread_mutex_unlock(&t->lock);
    if (!stop) {
        t->opt.changed(t->opt.opaque);
    }
}

struct push_tokens *push_tokens_create(const struct push_tokens_options *opt)
{
    struct push_tokens *t = xcalloc(1, sizeof *t);

    t->opt = *opt;
    t->url = xstrdup(opt->database_url);
    t->schema = xstrdup(opt->schema);
    t->fetcher = fetcher_create();
    (void)pthread_mutex_init(&t->lock, NULL);
    clock_condition_init(&t->wake);
    (void)uv_async_init(opt->loop, &t->async, on_async);
    t->async.data = t;
    return t;
}

size_t push_tokens_add(struct push_tokens *t, const char *name, const struct provider_kind *kind, const void *self)
{
    assert(!t->started && t->n < PUSH_TOKENS_MAX);
    struct slot *s = &t->slots[t->n];

    s->name = xstrdup(name);
    s->kind = kind;
    s->self = self;
    s->owner.provider = s->name;
    kind->credential(self, s->owner.credential, s->owner.key);
    return t->n++;
}

enum rc push_tokens_start(struct push_tokens *t, struct err *err)
{
    int failed = t->n == 0 ? 0 : pthread_create(&t->thread, NULL, keep, t);

    if (failed != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    t->started = t->n > 0;
    return RC_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct push_tokens *t = handle->data;
    void (*closed)(void *opaque) = t->closed;
    void *opaque = t->closed_opaque;

    for (size_t i = 0; i < t->n; i++) {
        struct slot *s = &t->slots[i];
        push_token_done(&s->fresh);
        push_token_done(&s->shown);
        OPENSSL_cleanse(&s->owner, sizeof s->owner);
        free(s->name);
    }
    (void)fetcher_free(t->fetcher);
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_cond_destroy(&t->wake);
    OPENSSL_cleanse(t->url, strlen(t->url));
    free(t->url);
    free(t->schema);
    free(t);
    if (closed != NULL) {
        closed(opaque);
    }
}

void push_tokens_close(struct push_tokens *t, void (*closed)(void *opaque), void *opaque)
{
    t->closed = closed;
    t->closed_opaque = opaque;
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
    fetcher_stop(t->fetcher);
    if (t->started) {
        (void)pthread_join(t->thread, NULL);
    }
    uv_close((uv_handle_t *)&t->async, on_closed);
}

const char *push_token_text(struct push_tokens *t, size_t number, int64_t now_us, uint64_t *out_version)
{
    struct slot *s = &t->slots[number];

    *out_version = s->shown_version;
    return s->shown.text != NULL && s->shown.expires_us > now_us ? s->shown.text : NULL;
}

void push_token_refused(struct push_tokens *t, size_t number, uint64_t version)
{
    struct slot *s = &t->slots[number];

    if (version != s->shown_version || s->shown.text == NULL) {
        return; /* there is another one already, or it is asked for */
    }
    int64_t obtained_us = s->shown.obtained_us;
    push_token_done(&s->shown);
    (void)pthread_mutex_lock(&t->lock);
    if (s->useless_until_us < obtained_us) {
        s->useless_until_us = obtained_us;
    }
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
}

void push_token_problem(struct push_tokens *t, size_t number, char *out, size_t size, bool *out_credential_refused)
{
    struct slot *s = &t->slots[number];

    (void)pthread_mutex_lock(&t->lock);
    (void)snprintf(out, size, "%s", s->problem);
    *out_credential_refused = s->credential_refused;
    (void)pthread_mutex_unlock(&t->lock);
}
