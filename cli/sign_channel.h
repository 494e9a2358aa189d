/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of channels signed with the keys that `sluice sign init` has made. The directory:
 *
 *     accounts.json            what verifies: the gateway's accounts shop1 (WeChat Pay, Alipay, Apple Pay) and game1,
 *                              and carriers' named as their forms are
 *     wechat-*, alipay-*, ...  files it names
 *     raw.keys                 for gateway.raw.keys.file
 *     signing/                 the platforms' private keys, which nobody has but here
 */
#ifndef SLUICE_CLI_SIGN_CHANNEL_H
#define SLUICE_CLI_SIGN_CHANNEL_H

#include "channel/account.h"
#include "command.h"

#define SIGN_SHOP "shop1"
#define SIGN_GAME "game1"
#define SIGN_WECHAT_APIV3_KEY "wechat-apiv3.key"
#define SIGN_WECHAT_PUBLIC "wechat-public.pem"
#define SIGN_WECHAT_CERTIFICATE_KEY "signing/wechat-certificate.key"
#define SIGN_WECHAT_PUBLIC_KEY "signing/wechat-public.key"
#define SIGN_WECHAT_PUBLIC_ID "PUB_KEY_ID_0100000000000001"
#define SIGN_ALIPAY_KEY "signing/alipay.key"
#define SIGN_APPSTORE "signing/appstore.pem"
#define SIGN_APPLEPAY "signing/applepay.pem"
#define SIGN_APPLEPAY_MERCHANT "applepay-merchant.pem"
#define SIGN_FILE_BYTES_MAX ((size_t)64 << 10)
#define SIGN_ID_MAX 128

/* What is said. Texts are the command line's, or stand in ids. */
struct sign_request {
    const char *directory;
    const struct account *account;
    const char *payment;  /* the order; NULL = none */
    int64_t amount;       /* minor units: of the payment, or of the refund (Alipay: of all refunds) */
    int64_t total;        /* of the payment that is refunded */
    const char *currency; /* "CNY" */
    const char *txn;      /* the channel's number of the payment */
    const char *notification;
    const char *refund; /* NULL: it is about the payment itself */
    const char *type;   /* NULL = the usual one */
    const char *key;    /* WeChat Pay: the name of the key; NULL = the certificate */
    const char *event;  /* what is said instead of all of this, as the channel writes it; NULL = made */
    int64_t at_s;
};

/* Makes the directory, valid from now_s on. REJECT: there are keys in it. */
enum rc sign_init(const char *directory, int64_t now_s, struct err *err) MUST_USE;

/* Headers, one a line with LF, and body. FATAL: the directory is not as it was made, ERR_CONFIG, or libcrypto refuses.
 * REJECT: this cannot be said. */
enum rc sign_make(const struct sign_request *request, struct buf *headers, struct buf *body, struct err *err) MUST_USE;

/* Are there --headers and --body, or a --send that is a URL? Else the exit code. */
int sign_check_output(const struct cli *cli);
/* Posts it to --send, and prints the answer; exit code 3 when it is no success. */
int sign_send(const struct cli *cli, const char *what, const struct buf *headers, const struct buf *body);

#endif
