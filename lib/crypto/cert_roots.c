/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert_roots.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

struct cert_roots {
    X509_STORE *store;
    size_t n;
};

/* False: something in it is no certificate. */
static bool read_all(struct cert_roots *roots, const char *text, size_t n)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(text, (int)n);
    roots->store = X509_STORE_new();
    if (bio == NULL || roots->store == NULL) {
        abort(); /* out of memory */
    }
    X509 *root = NULL;
    while (roots->n <= CERT_ROOTS_MAX && (root = PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL)) != NULL) {
        (void)X509_STORE_add_cert(roots->store, root);
        X509_free(root);
        roots->n++;
    }
    bool whole = root == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; /* that is the end */
    ERR_clear_error();
    return whole;
}

enum rc cert_roots_read(const char *text, size_t n, struct cert_roots **out_roots, struct err *err)
{
    struct cert_roots *roots = xcalloc(1, sizeof *roots);
    if (n > INT32_MAX || !read_all(roots, text, n) || roots->n == 0 || roots->n > CERT_ROOTS_MAX) {
        (void)cert_roots_free(roots);
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "expected 1 to %d certificates in PEM", CERT_ROOTS_MAX);
        return err_code(err, ERR_CONFIG);
    }
    *out_roots = roots;
    return RC_OK;
}

struct cert_roots *cert_roots_free(struct cert_roots *roots)
{
    if (roots != NULL) {
        X509_STORE_free(roots->store);
        free(roots);
    }
    return NULL;
}

size_t cert_roots_count(const struct cert_roots *roots)
{
    return roots->n;
}

bool cert_roots_lead_to(const struct cert_roots *roots, X509 *certificate, int64_t day_s)
{
    CLEANUP(x509_ctx_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL || X509_STORE_CTX_init(context, roots->store, certificate, NULL) != 1) {
        abort(); /* out of memory */
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)day_s);
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    bool good = X509_verify_cert(context) == 1;
    ERR_clear_error();
    return good;
}
