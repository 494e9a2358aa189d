/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one account of the file: members, and the files they name; and findings. For the channels' *_account.c. */
#ifndef SLUICE_CHANNEL_ACCOUNT_FILE_H
#define SLUICE_CHANNEL_ACCOUNT_FILE_H

#include "base/buf.h"
#include "base/mem.h"
#include "channel/account.h"
#include "crypto/rsa.h"
#include "http/field.h"

#define ACCOUNT_PATH_MAX 4096
#define ACCOUNT_FILE_BYTES_MAX ((size_t)64 << 10) /* of a key or a certificate */

struct account_reader {
    struct fields fields;  /* the account's members; the first problem is in *fields.problem */
    const char *directory; /* of the accounts file: paths are relative to it */
    struct arena *arena;   /* ends with the reading; copy what is kept */
    const char *where;     /* "wechat.shop1", for messages */
    bool lenient; /* a secret that others may read is warned of, not refused; a key that is too short gets a verdict */
};

/* The name of a file, for account_file(). */
const char *account_path(struct account_reader *r, const char *member, enum field_need need);
/* All members were asked for: the first that is wrong, or that nobody knows, becomes the error. Before opening files.
 */
enum rc account_members_end(struct account_reader *r, struct err *err) MUST_USE;

/* ERR_CONFIG, "wechat.shop1.apiv3_key_file: ...". */
enum rc account_fail(struct account_reader *r, const char *member, struct err *err, const char *fmt, ...) MUST_USE
    PRINTF_LIKE(4, 5);

/* The same in front of the cause that is in *err already: "wechat.shop1.keys.5F2C: wechat.pem: ...". */
enum rc account_wrap(struct account_reader *r, const char *member, const char *path, struct err *err) MUST_USE;

/*
 * The content of the file that the member names. secret: the file must not be readable by group or others. out is
 * initialised here; the caller says buf_done(), after wiping it where it is secret.
 */
enum rc account_file(struct account_reader *r, const char *member, const char *path, bool secret, struct buf *out,
                     struct err *err) MUST_USE;
/* Bytes of its only line, without the line's end. */
size_t account_line(const struct buf *text);
void account_wipe(struct buf *text);

/* An RSA key from a file: of one's own, not to be read by others; or somebody else's, perhaps in a certificate. */
enum rc account_private_key(struct account_reader *r, const char *member, const char *path, struct rsa_key **out_key,
                            struct err *err) MUST_USE;
enum rc account_public_key(struct account_reader *r, const char *member, const char *path, struct rsa_key **out_key,
                           struct rsa_certificate *out_cert, struct err *err) MUST_USE;
/* The same of what was read already; a failure has no account and member in it yet. */
enum rc account_rsa(const struct account_reader *r, const struct buf *text, struct rsa_key **out_key,
                    struct rsa_certificate *out_cert, struct err *err) MUST_USE;

/* Says what will go wrong with a certificate that is valid until then; member: "root_file". */
void account_check_until(const struct account *account, const char *member, int64_t until_s, int64_t now_s,
                         account_finding_fn say, void *opaque);

#endif
