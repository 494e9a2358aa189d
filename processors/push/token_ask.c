/* SPDX-License-Identifier: Apache-2.0 */
/* One token: a kind makes it, or its server is asked. */
#include "push/token_ask.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/clock.h"
#include "push/token.h"
#include "push/token_row.h"

#define REQUEST_TIMEOUT_MS 10000
#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define REQUEST_HEADERS_MAX 16

static enum rc ask(struct fetcher *fetcher, const struct provider_kind *kind, const void *self, struct push_token *out,
                   struct err *err)
{
    struct arena arena;
    struct push_request request = {0};
    struct fetch_answer answer = {0};
    struct header_line headers[REQUEST_HEADERS_MAX];

    arena_init(&arena, 4096);
    enum rc rc = kind->token_request(self, clock_utc_us(), &arena, &request, err);
    if (rc == RC_OK) {
        size_t n = request.n_headers < REQUEST_HEADERS_MAX ? request.n_headers : REQUEST_HEADERS_MAX;
        for (size_t i = 0; i < n; i++) {
            headers[i] = (struct header_line){.name = request.headers[i].name, .value = request.headers[i].value};
        }
        const struct fetch_request ask = {.method = "POST",
                                          .url = request.url,
                                          .headers = headers,
                                          .n_headers = n,
                                          .body = request.body,
                                          .body_n = request.body_n,
                                          .timeout_ms = REQUEST_TIMEOUT_MS,
                                          .answer_bytes_max = ANSWER_BYTES_MAX};
        rc = fetch(fetcher, &ask, &answer, err);
        if (rc == RC_OK) {
            const struct http_result result = {.status = (int)answer.status,
                                               .retry_after_ms = -1,
                                               .body = buf_str(&answer.body),
                                               .body_n = answer.body.len,
                                               .message = ""};
            rc = kind->token_reply(self, &result, clock_utc_us(), out, err);
        }
        if (answer.body.data != NULL) {
            OPENSSL_cleanse(answer.body.data, answer.body.cap);
        }
        fetch_answer_done(&answer);
    }
    arena_done(&arena);
    return rc;
}

enum rc token_obtain(struct fetcher *fetcher, const struct provider_kind *kind, const void *self,
                     struct push_token *out, struct err *err)
{
    *out = (struct push_token){0};
    TRY(kind->token_make != NULL ? kind->token_make(self, clock_utc_us(), out, err)
                                 : ask(fetcher, kind, self, out, err));
    size_t n = out->text == NULL ? 0 : strlen(out->text);
    if (n == 0 || n > PUSH_TOKEN_BYTES_MAX) {
        push_token_done(out);
        FAIL(err, RC_RETRY, "a token of %zu bytes; expected 1 to %d", n, PUSH_TOKEN_BYTES_MAX);
    }
    return RC_OK;
}
