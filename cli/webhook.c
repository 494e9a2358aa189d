/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign webhook` and `sluice verify webhook`: a signed call made by hand, and the verdict on a captured one. */
#include "crypto/webhook.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "file.h"
#include "http/header_file.h"

#define OUT_BYTES_MAX ((size_t)64 << 10)
#define BODY_BYTES_MAX ((size_t)64 << 20)
#define SECONDS_MAX 253402300799LL /* the end of the year 9999 */

/* The flag's value, or NULL after saying that it is needed. */
static const char *needed(const struct cli *cli, const char *flag)
{
    const char *value = cli_flag(cli, flag);
    if (value == NULL || value[0] == '\0') {
        (void)cli_usage(cli, "--%s is needed", flag);
        return NULL;
    }
    return value;
}

enum rc webhook_keys_read(const char *path, struct webhook_keys **out_keys, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, CONFIG_SECRET_BYTES_MAX);
    enum rc rc = file_read(path, &text, err);
    if (rc == RC_OK) {
        rc = webhook_keys_parse(buf_str(&text), out_keys, err);
        if (rc != RC_OK) {
            (void)err_prefix(err, "%s", path);
        }
    }
    if (text.data != NULL) {
        OPENSSL_cleanse(text.data, text.cap);
    }
    return rc;
}

/* --at, or now. */
static enum rc time_of(const struct cli *cli, int64_t *out_seconds, struct err *err)
{
    *out_seconds = clock_utc_ms() / 1000;
    return cli_flag_int(cli, "at", 0, SECONDS_MAX, out_seconds, err);
}

int cmd_sign_webhook(const struct cli *cli)
{
    const char *secret_file = needed(cli, "secret-file");
    const char *body_file = secret_file == NULL ? NULL : needed(cli, "body");
    const char *id = body_file == NULL ? NULL : needed(cli, "id");
    struct err err = {0};
    int64_t seconds = 0;
    if (id == NULL) {
        return EXIT_USAGE;
    }
    if (time_of(cli, &seconds, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = NULL;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    char signature[WEBHOOK_SIGNATURE_MAX];
    if (webhook_keys_read(secret_file, &keys, &err) != RC_OK || file_read(body_file, &body, &err) != RC_OK ||
        webhook_sign(keys, id, seconds, body.data, body.len, signature, &err) != RC_OK) {
        return cli_fail("sign webhook", &err);
    }
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    if (cli->json) { /* an id has only visible ASCII, but that includes quotes */
        (void)buf_puts(&out, "{\"webhook-id\": ");
        (void)buf_json_string(&out, id, strlen(id));
        (void)buf_printf(&out, ", \"webhook-timestamp\": \"%lld\", \"webhook-signature\": \"%s\"}\n",
                         (long long)seconds, signature);
    } else {
        (void)buf_printf(&out, "webhook-id: %s\nwebhook-timestamp: %lld\nwebhook-signature: %s\n", id,
                         (long long)seconds, signature);
    }
    return cli_print(&out);
}

/* The message's headers; false when one of them is there twice. */
static bool message_of(const struct header_file *headers, const struct buf *body, struct webhook_message *out)
{
    size_t ids = 0;
    size_t timestamps = 0;
    size_t signatures = 0;
    *out = (struct webhook_message){
        .id = header_file_get(headers, "webhook-id", &ids),
        .timestamp = header_file_get(headers, "webhook-timestamp", &timestamps),
        .signature = header_file_get(headers, "webhook-signature", &signatures),
        .body = body->data,
        .body_n = body->len,
    };
    return ids <= 1 && timestamps <= 1 && signatures <= 1;
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "\"%s\": ", name);
    if (value == NULL) {
        (void)buf_puts(out, "null");
    } else {
        (void)buf_json_string(out, value, strlen(value));
    }
}

static int print_verdict(enum webhook_reason reason, const struct webhook_message *msg)
{
    bool accepted = reason == WEBHOOK_OK;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX + HEADER_FILE_BYTES_MAX * 6);
    (void)buf_printf(&out, "{\"verdict\": \"%s\", \"reason\": \"%s\", \"answer\": {\"status\": %d, \"body\": \"\"}, ",
                     accepted ? "accept" : "reject", webhook_reason_name(reason), accepted ? 204 : 401);
    (void)buf_puts(&out, "\"event\": {");
    add_text(&out, "id", msg->id);
    (void)buf_puts(&out, ", ");
    add_text(&out, "timestamp", msg->timestamp);
    (void)buf_printf(&out, ", \"body_bytes\": %zu}}\n", msg->body_n);
    int code = cli_print(&out);
    return code != EXIT_DONE ? code : (accepted ? EXIT_DONE : EXIT_REJECTED);
}

int cmd_verify_webhook(const struct cli *cli)
{
    const char *secret_file = needed(cli, "secret-file");
    const char *headers_file = secret_file == NULL ? NULL : needed(cli, "headers");
    const char *body_file = headers_file == NULL ? NULL : needed(cli, "body");
    struct err err = {0};
    int64_t now = 0;
    int64_t tolerance = WEBHOOK_TOLERANCE_SECONDS;
    if (body_file == NULL) {
        return EXIT_USAGE;
    }
    if (time_of(cli, &now, &err) != RC_OK || cli_flag_int(cli, "tolerance", 0, 86400, &tolerance, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = NULL;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(header_file_done) struct header_file headers = {0};
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&text, HEADER_FILE_BYTES_MAX);
    if (webhook_keys_read(secret_file, &keys, &err) != RC_OK || file_read(headers_file, &text, &err) != RC_OK ||
        file_read(body_file, &body, &err) != RC_OK) {
        return cli_fail("verify webhook", &err);
    }
    if (header_file_parse(buf_str(&text), text.len, &headers, &err) != RC_OK) {
        (void)err_prefix(&err, "%s", headers_file);
        err.rc = RC_FATAL; /* no verdict: exit code 3 is for a message that was looked at */
        return cli_fail("verify webhook", &err);
    }
    struct webhook_message msg;
    bool once = message_of(&headers, &body, &msg);
    return print_verdict(once ? webhook_verify(keys, &msg, now, tolerance) : WEBHOOK_HEADER_TWICE, &msg);
}
