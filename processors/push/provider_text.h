/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that the kinds with a vendor's protocol share: members of a common form, times, pieces of requests. */
#ifndef SLUICE_PUSH_PROVIDER_TEXT_H
#define SLUICE_PUSH_PROVIDER_TEXT_H

#include "base/buf.h"
#include "push/member.h"
#include "push/provider.h"

#define PROVIDER_ID_MAX 256
#define PROVIDER_URL_MAX 512
#define PROVIDER_TTL_S 86400 /* of a message that does not say when it expires */
#define PROVIDER_REQUEST_BYTES_MAX ((size_t)8 << 20)

/* Heap copies, for what lives as long as the provider. An id goes into paths: letters, digits and . _ - only; NULL:
 * absent or refused. */
char *provider_id(struct members *m, const char *name, bool required);
/* https://HOST... without a slash at its end, or http:// to a loopback address where the kind does not need HTTP/2 (of
 * several calls that begin on one new connection without TLS, libcurl 7.88 breaks all but one); fallback where it is
 * absent. Never NULL; the error is in m. */
char *provider_url(struct members *m, const char *name, const char *fallback, bool http2);
/* 1 to max seconds; PROVIDER_TTL_S, at most max, where it is absent. */
int64_t provider_ttl_s(struct members *m, int64_t max);

/* When the message is worth nothing any more, in seconds from now: its own end, at most ttl_s; at least 1. */
int64_t provider_left_s(const struct push_message *m, int64_t now_us, int64_t ttl_s);
/* s as a quoted JSON string of at most max characters; what is longer ends in an ellipsis. 0 = as it is. */
void provider_json_text(struct buf *out, const char *s, size_t max);
/* The text into the arena. RC_REJECT: it was more than the buffer takes. */
enum rc provider_body(struct buf *body, struct arena *a, struct push_request *out, struct err *err) MUST_USE;
/* "NAME" followed by value, in the arena: for headers and URLs. */
const char *provider_join(struct arena *a, const char *first, const char *second);
/* REJECT with the code "empty-target": nothing leaves without an address. */
enum rc provider_target_check(const struct push_message *m, struct err *err) MUST_USE;
/* Is the payload a JSON object? It goes into requests as it is. REJECT with the code "payload-malformed". */
enum rc provider_payload_check(const struct push_message *m, struct err *err) MUST_USE;
/* Hash over parts with a name before them: for credential(). The parts are told apart by their lengths. */
void provider_hash(const char *name, const char *const *parts, size_t n, unsigned char out[32]);

#endif
