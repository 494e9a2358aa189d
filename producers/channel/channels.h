/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of channels.c are made of; each channel's functions are in its own files. */
#ifndef SLUICE_CHANNEL_CHANNELS_H
#define SLUICE_CHANNEL_CHANNELS_H

#include "channel/account_file.h"

enum rc wechat_read(struct account_reader *r, void **out_own, struct err *err) MUST_USE;
void wechat_free(void *own);
enum channel_reason wechat_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                  struct arena *arena, struct verdict *v);
void wechat_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
int64_t wechat_expires_s(const struct account *account);

enum rc alipay_read(struct account_reader *r, void **out_own, struct err *err) MUST_USE;
void alipay_free(void *own);
enum channel_reason alipay_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                  struct arena *arena, struct verdict *v);
void alipay_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
int64_t alipay_expires_s(const struct account *account);

enum rc appstore_read(struct account_reader *r, void **out_own, struct err *err) MUST_USE;
void appstore_free(void *own);
enum channel_reason appstore_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                    struct arena *arena, struct verdict *v);
void appstore_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
int64_t appstore_expires_s(const struct account *account);

enum rc applepay_read(struct account_reader *r, void **out_own, struct err *err) MUST_USE;
void applepay_free(void *own);
enum channel_reason applepay_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                    struct arena *arena, struct verdict *v);
void applepay_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
int64_t applepay_expires_s(const struct account *account);

enum rc express_read(struct account_reader *r, void **out_own, struct err *err) MUST_USE;
void express_free(void *own);
enum channel_reason express_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                   struct arena *arena, struct verdict *v);
void express_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
int64_t express_expires_s(const struct account *account);

#endif
