/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of providers: got or made ahead of their end, one for all instances.
 *
 * A thread with a session of its own keeps them: nothing in the role's loop may wait for a database or for a token's
 * server. Who renews one holds its row of push_provider_tokens locked meanwhile, so of several instances one asks and
 * the others read what it got. In the table a token is encrypted (AES-256-GCM) under a key that follows from the
 * credential (provider_kind.credential); a row made with another credential is as good as none.
 *
 * Kinds have nothing to do here but token_make, or token_request and token_reply, and credential (push/provider.h). The
 * request is made with lib/http/fetch: https, or http to a loopback address written as a number.
 *
 * Thread: the loop's, but for what says otherwise.
 */
#ifndef SLUICE_PUSH_TOKEN_H
#define SLUICE_PUSH_TOKEN_H

#include <uv.h>

#include "push/provider.h"

#define PUSH_TOKENS_MAX 32
#define PUSH_TOKEN_BYTES_MAX 8192 /* of a token's text */

struct push_tokens;

struct push_tokens_options {
    uv_loop_t *loop;
    const char *database_url;      /* copied */
    const char *schema;            /* copied */
    void (*changed)(void *opaque); /* a token has come, or the reason why there is none has changed; in the loop */
    void *opaque;
};

struct push_tokens *push_tokens_create(const struct push_tokens_options *opt) MUST_USE;
/* Before start. kind and self must outlive it; name is copied. Returns its number. */
size_t push_tokens_add(struct push_tokens *t, const char *name, const struct provider_kind *kind, const void *self);
enum rc push_tokens_start(struct push_tokens *t, struct err *err) MUST_USE;
/* Ends the thread (which is not waited for longer than a request takes to be broken off), wipes; closed is called from
 * the loop when its handle is gone, and t with it. */
void push_tokens_close(struct push_tokens *t, void (*closed)(void *opaque), void *opaque);

/* NULL: there is none now; changed() will be called. Good until the loop turns. *out_version: for push_token_refused().
 */
const char *push_token_text(struct push_tokens *t, size_t number, int64_t now_us, uint64_t *out_version);
/* The provider has refused the token of that version as expired: another one is got. */
void push_token_refused(struct push_tokens *t, size_t number, uint64_t version);
/* Why there is none, for people; "" where nothing is known. credential_refused: asking again will not help soon. */
void push_token_problem(struct push_tokens *t, size_t number, char *out, size_t size, bool *out_credential_refused);

#endif
