/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a notification from the inside out: transaction, its JWS, payload, its JWS, body. */
#include "channel/appstore_sign.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "channel/channel.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "crypto/openssl_own.h"

static void comma(struct buf *out)
{
    if (out->len > 0 && out->data[out->len - 1] != '{') {
        (void)buf_putc(out, ',');
    }
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        comma(out);
        (void)buf_printf(out, "\"%s\":", name);
        (void)buf_json_string(out, value, strlen(value));
    }
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
    if (value != 0) {
        comma(out);
        (void)buf_printf(out, "\"%s\":%lld", name, (long long)value);
    }
}

static void add_certificate(X509 *certificate, struct buf *out)
{
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    if (n > 0) {
        char *text = xcalloc(1, BASE64_LENGTH((size_t)n) + 1);
        base64_encode(der, (size_t)n, text);
        (void)buf_printf(out, "\"%s\"", text);
        free(text);
    }
}

void appstore_sign_header(const struct ca_chain *chain, const char *alg, struct buf *out)
{
    (void)buf_printf(out, "{\"alg\":\"%s\",\"x5c\":[", alg);
    add_certificate(chain->leaf, out);
    (void)buf_putc(out, ',');
    add_certificate(chain->ca, out);
    (void)buf_putc(out, ',');
    add_certificate(chain->root, out);
    (void)buf_puts(out, "]}");
}

enum rc appstore_sign_payload(const struct ca_chain *chain, const char *payload, struct buf *out, struct err *err)
{
    CLEANUP(buf_done) struct buf header;
    buf_init(&header, CHANNEL_BODY_BYTES_MAX);
    appstore_sign_header(chain, "ES256", &header);
    return jws_sign(buf_str(&header), payload, chain->key, out, err);
}

void appstore_transaction_json(const struct appstore_notice *n, struct buf *out)
{
    (void)buf_putc(out, '{');
    add_text(out, "transactionId", n->transaction_id);
    add_text(out, "originalTransactionId",
             n->original_transaction_id == NULL ? n->transaction_id : n->original_transaction_id);
    add_text(out, "bundleId", n->bundle_id);
    add_text(out, "productId", n->product_id);
    add_number(out, "purchaseDate", n->purchase_ms);
    add_number(out, "revocationDate", n->revocation_ms);
    add_text(out, "revocationType", n->revocation_type);
    add_number(out, "revocationPercentage", n->revocation_percentage);
    add_text(out, "appAccountToken", n->payment_id);
    add_text(out, "inAppOwnershipType", n->ownership);
    add_text(out, "environment", n->environment);
    add_number(out, "price", n->price_milli);
    add_text(out, "currency", n->currency);
    add_number(out, "signedDate", n->signed_ms);
    (void)buf_putc(out, '}');
}

void appstore_notice_json(const struct appstore_notice *n, const char *transaction, struct buf *out)
{
    (void)buf_putc(out, '{');
    add_text(out, "notificationType", n->type);
    add_text(out, "subtype", n->subtype);
    add_text(out, "notificationUUID", n->uuid);
    add_text(out, "version", "2.0");
    add_number(out, "signedDate", n->signed_ms);
    comma(out);
    (void)buf_puts(out, "\"data\":{");
    add_number(out, "appAppleId", n->app_apple_id);
    add_text(out, "bundleId", n->bundle_id);
    add_text(out, "environment", n->environment);
    add_text(out, "signedTransactionInfo", transaction);
    (void)buf_puts(out, "}}");
}

enum rc appstore_sign(const struct ca_chain *chain, const struct appstore_notice *notice, struct buf *out,
                      struct err *err)
{
    CLEANUP(buf_done) struct buf json;
    CLEANUP(buf_done) struct buf transaction;
    buf_init(&json, CHANNEL_BODY_BYTES_MAX);
    buf_init(&transaction, CHANNEL_BODY_BYTES_MAX);
    if (notice->transaction_id != NULL) {
        appstore_transaction_json(notice, &json);
        TRY(appstore_sign_payload(chain, buf_str(&json), &transaction, err));
        buf_clear(&json);
    }
    appstore_notice_json(notice, notice->transaction_id == NULL ? NULL : buf_str(&transaction), &json);
    (void)buf_puts(out, "{\"signedPayload\":\"");
    TRY(appstore_sign_payload(chain, buf_str(&json), out, err));
    if (!buf_puts(out, "\"}") || json.overflow) {
        FAIL(err, RC_FATAL, "the notification became too long");
    }
    return RC_OK;
}
