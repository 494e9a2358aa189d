/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the whole verdict on a call of WeChat Pay. The first byte chooses: headers and body as they are; a body that
 * is signed here; a resource that is encrypted and signed here, so that what lies behind is reached.
 */
#include "fuzz_channel.h"
#include "http/header_file.h"

static struct rig rig;

static void forget(void)
{
    rig_done(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rig_begin_accounts(&rig);
    (void)atexit(forget);
    return 0;
}

/* Headers up to an empty line, then the body. */
static void raw(const char *text, size_t n)
{
    struct header_file headers;
    struct err err = {0};
    const char *gap = memmem(text, n, "\n\n", 2);
    size_t head_n = gap == NULL ? n : (size_t)(gap - text) + 1;
    size_t skip = gap == NULL ? n : head_n + 1;
    if (header_file_parse(text, head_n, &headers, &err) == RC_OK) {
        const struct capture c = {
            .headers = headers.lines, .n_headers = headers.n, .body = text + skip, .body_n = n - skip};
        fuzz_judge(&rig, CHANNEL_WECHAT, "shop", &c);
    }
    header_file_done(&headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct call call;
    if (size == 0) {
        return 0;
    }
    if (data[0] % 3 == 0) {
        raw((const char *)data + 1, size - 1);
        return 0;
    }
    char *text = xstrndup((const char *)data + 1, size - 1);
    struct wechat_call w = {.event_type = data[0] & 0x10 ? "REFUND.SUCCESS" : NULL};
    if (data[0] % 3 == 1) {
        w.body = (const char *)data + 1;
        w.body_n = size - 1;
    } else {
        w.plain = text;
    }
    if (w.body == NULL || w.body_n > 0) {
        wechat_call_make(&rig, &w, &call);
        fuzz_judge(&rig, CHANNEL_WECHAT, "shop", &call.capture);
        call_done(&call);
    }
    free(text);
    return 0;
}
