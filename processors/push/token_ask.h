/* SPDX-License-Identifier: Apache-2.0 */
/* Getting a token of a provider. Thread: the token thread's. May block, for ten seconds at most. */
#ifndef SLUICE_PUSH_TOKEN_ASK_H
#define SLUICE_PUSH_TOKEN_ASK_H

#include "http/fetch.h"
#include "push/provider.h"

/* A token that was not there before; *out is the caller's (push_token_done). self: of the kind. REJECT: the credential
 * is refused. RETRY: no answer, or none that is a token of 1 to PUSH_TOKEN_BYTES_MAX bytes. */
enum rc token_obtain(struct fetcher *fetcher, const struct provider_kind *kind, const void *self,
                     struct push_token *out, struct err *err) MUST_USE;

#endif
