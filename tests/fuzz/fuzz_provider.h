/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What targets of providers' answers share: the first byte chooses status, number of messages and whether the answer
 * was cut; the rest is its body. Whatever it is, each message has a verdict, and a reason where it was not accepted.
 */
#ifndef SLUICE_FUZZ_PROVIDER_H
#define SLUICE_FUZZ_PROVIDER_H

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "push/kinds.h"

#define FUZZ_NOW_US ((int64_t)1700000000 * 1000000)

static void fuzz_judge_results(const struct push_result *out, size_t n, int status)
{
    for (size_t i = 0; i < n; i++) {
        CLAIM((unsigned)out[i].verdict < PUSH_VERDICTS);                              /* a verdict */
        CLAIM(memchr(out[i].code, '\0', PUSH_CODE_MAX) != NULL);                      /* the code ends */
        CLAIM(memchr(out[i].message, '\0', PUSH_MESSAGE_MAX) != NULL);                /* the message ends */
        CLAIM(strpbrk(out[i].message, "\r\n\t") == NULL);                             /* one line */
        CLAIM(out[i].retry_after_ms >= -1);                                           /* a time to wait */
        CLAIM(out[i].gone_at_us >= 0 && out[i].gone_at_us <= FUZZ_NOW_US);            /* gone in the past */
        CLAIM(!out[i].alone || n > 1);                                                /* one message is alone already */
        CLAIM(out[i].verdict <= PUSH_SENT_OFFLINE || out[i].code[0] != '\0');         /* a reason */
        CLAIM(out[i].verdict > PUSH_SENT_OFFLINE || (status >= 200 && status < 300)); /* accepted only by a 2xx */
    }
}

static int fuzz_reply(const struct provider_kind *kind, size_t n_max, const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 410, 413, 429, 500, 503, 0, 302};
    static const char *const cids[] = {"c1", "c2", "c3"};
    struct push_message m[3];
    const struct push_message *list[3];
    struct push_result out[3];
    struct push_token token = {0};
    struct err err = {0};
    if (size == 0) {
        return 0;
    }
    char *body = xstrndup((const char *)data + 1, size - 1); /* with a NUL behind it, as the engine has it */
    struct http_result r = {.meaning = {.class = "http"},
                            .status = statuses[data[0] % ARRAY_SIZE(statuses)],
                            .retry_after_ms = data[0] & 0x40 ? 5000 : -1,
                            .body = body,
                            .body_n = strlen(body),
                            .body_cut = (data[0] & 0x80) != 0,
                            .message = "",
                            .address = ""};
    size_t n = n_max == 1 ? 1 : 1 + data[0] % 3;
    memset(out, 0x5a, sizeof out);
    for (size_t i = 0; i < n; i++) {
        m[i] = (struct push_message){.cid = cids[i], .payload = "{}"};
        list[i] = &m[i];
    }
    kind->reply(NULL, list, n, &r, FUZZ_NOW_US, out);
    fuzz_judge_results(out, n, r.status);
    if (kind->token_reply != NULL && kind->token_reply(NULL, &r, FUZZ_NOW_US, &token, &err) == RC_OK) {
        CLAIM(token.text != NULL && token.text[0] != '\0' && strpbrk(token.text, " \r\n") == NULL); /* a token */
        CLAIM(token.expires_us > FUZZ_NOW_US); /* a token that is good for something */
        free(token.text);
    }
    free(body);
    return 0;
}

#endif
