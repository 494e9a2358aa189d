/* SPDX-License-Identifier: Apache-2.0 */
/* A directory with credentials of nobody, kinds opened from it, messages and answers. What goes wrong here aborts. */
#ifndef SLUICE_TESTS_PROVIDER_RIG_H
#define SLUICE_TESTS_PROVIDER_RIG_H

#include <openssl/evp.h>

#include "base/mem.h"
#include "push/kinds.h"
#include "push/reply.h"

#define RIG_NOW_US ((int64_t)1700000000 * 1000000)
#define RIG_ID "0123456789abcdef0123456789abcdef"
#define RIG_APP_KEY "key-of-the-app"
#define RIG_MASTER "secret-of-the-master"

struct provider_rig {
    char directory[64];
    EVP_PKEY *rsa, *ec; /* what the files hold */
    struct arena arena;
    const struct provider_kind *kind;
    void *self;
};

void provider_rig_begin(struct provider_rig *r);
void provider_rig_done(struct provider_rig *r);
void provider_rig_put(const struct provider_rig *r, const char *name, const char *text, unsigned mode);
/* Opens the kind; closed by the next, and by provider_rig_done(). config: JSON. */
enum rc provider_rig_try(struct provider_rig *r, const struct provider_kind *kind, const char *config, struct err *err);
void provider_rig_open(struct provider_rig *r, const struct provider_kind *kind, const char *config);

/* "a parcel" to this cid, expiring in an hour. */
struct push_message provider_rig_message(const char *cid);
enum rc provider_rig_request(struct provider_rig *r, const struct push_message *m, size_t n, const char *token,
                             struct push_request *out, struct err *err);
struct http_result provider_rig_answer(int status, const char *body);
/* The answer to one message to "c1". */
struct push_result provider_rig_reply(struct provider_rig *r, int status, const char *body);
/* An answer to one message, and what it means; the message is not to go again by itself. */
struct provider_rig_case {
    int status;
    const char *body;
    enum push_verdict verdict;
    const char *code;
    bool renew;
    int64_t wait_ms;
};
void provider_rig_cases(struct provider_rig *r, const struct provider_rig_case *rows, size_t n);
/* An answer to a request for a token; OK has this text, and so many seconds from RIG_NOW_US on. */
struct provider_rig_token {
    int status;
    const char *body;
    enum rc rc;
    const char *code; /* NULL with OK */
};
void provider_rig_tokens(struct provider_rig *r, const struct provider_rig_token *rows, size_t n, const char *text,
                         int64_t seconds);
/* Members behind those of head, an object that is still open: each is refused by a name. */
struct provider_rig_wrong {
    const char *more, *says;
};
void provider_rig_refuses(struct provider_rig *r, const struct provider_kind *kind, const char *head,
                          const struct provider_rig_wrong *rows, size_t n);
/* "Name: value" of a request; NULL: it does not have it. */
const char *provider_rig_header(const struct push_request *request, const char *name);

/* The claims of a JWT as text in the arena, and its header; the signature is verified with the public half of key. */
const char *provider_rig_jwt(struct provider_rig *r, const char *jwt, EVP_PKEY *key, const char **out_header);

/* Answers that no provider gives: each kind must say PROVIDER_DOWN for all, with a code. */
void provider_rig_garbage(struct provider_rig *r, size_t n);

#endif
