# SPDX-License-Identifier: Apache-2.0
"""What channels sign and encrypt with, by libcrypto: not the program's own code, so that two implementations must agree."""
import base64
import ctypes
import ctypes.util
import os
import time

lib = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
P, S, I, U = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_uint
for name, result, arguments in (
    ("BIO_new_mem_buf", P, [ctypes.c_char_p, I]),
    ("BIO_free", I, [P]),
    ("PEM_read_bio_PrivateKey", P, [P, P, P, P]),
    ("EVP_MD_CTX_new", P, []),
    ("EVP_MD_CTX_free", None, [P]),
    ("EVP_get_digestbyname", P, [ctypes.c_char_p]),
    ("EVP_DigestSignInit", I, [P, P, P, P, P]),
    ("EVP_DigestSign", I, [P, ctypes.c_char_p, P, ctypes.c_char_p, S]),
    ("EVP_CIPHER_CTX_new", P, []),
    ("EVP_CIPHER_CTX_free", None, [P]),
    ("EVP_CIPHER_CTX_ctrl", I, [P, I, I, P]),
    ("EVP_aes_256_gcm", P, []),
    ("EVP_EncryptInit_ex", I, [P, P, P, ctypes.c_char_p, ctypes.c_char_p]),
    ("EVP_EncryptUpdate", I, [P, ctypes.c_char_p, P, ctypes.c_char_p, I]),
    ("EVP_EncryptFinal_ex", I, [P, ctypes.c_char_p, P]),
    ("PEM_read_bio_X509", P, [P, P, P, P]),
    ("CMS_sign", P, [P, P, P, P, U]),
    ("CMS_add1_signer", P, [P, P, P, P, U]),
    ("CMS_add1_cert", I, [P, P]),
    ("CMS_signed_add1_attr_by_NID", I, [P, I, I, ctypes.c_char_p, I]),
    ("CMS_final", I, [P, P, P, U]),
    ("i2d_CMS_ContentInfo", I, [P, P]),
    ("CMS_ContentInfo_free", None, [P]),
):
    getattr(lib, name).restype, getattr(lib, name).argtypes = result, arguments

CMS_DETACHED, CMS_BINARY, CMS_PARTIAL, SIGNING_TIME, UTC_TIME = 0x40, 0x80, 0x4000, 52, 23
of_file = {}


def read(path, how):
    if path not in of_file:
        pem = open(path, "rb").read()
        bio = lib.BIO_new_mem_buf(pem, len(pem))
        of_file[path] = how(bio, None, None, None)
        lib.BIO_free(bio)
        assert of_file[path], path
    return of_file[path]


def key(path):
    return read(path, lib.PEM_read_bio_PrivateKey)


def sign(path, data, digest="SHA256"):
    """PKCS#1 v1.5 with an RSA key, DER with an EC key."""
    ctx = lib.EVP_MD_CTX_new()
    assert lib.EVP_DigestSignInit(ctx, None, lib.EVP_get_digestbyname(digest.encode()), None, key(path)) == 1
    out, n = ctypes.create_string_buffer(1024), S(1024)
    assert lib.EVP_DigestSign(ctx, out, ctypes.byref(n), data, len(data)) == 1
    lib.EVP_MD_CTX_free(ctx)
    return out.raw[: n.value]


def cms(names, data, at, digest="sha256", embed=False):
    """DER of a CMS over data, signed at that time by the first of names (NAME.key, NAME.crt), with all their certificates."""
    flags = CMS_BINARY | CMS_PARTIAL | (0 if embed else CMS_DETACHED)
    certs = [read(name + ".crt", lib.PEM_read_bio_X509) for name in names]
    made = lib.CMS_sign(None, None, None, None, flags)
    signer = lib.CMS_add1_signer(made, certs[0], key(names[0] + ".key"), lib.EVP_get_digestbyname(digest.encode()), flags)
    stamp = time.strftime("%y%m%d%H%M%SZ", time.gmtime(at)).encode()
    assert lib.CMS_signed_add1_attr_by_NID(signer, SIGNING_TIME, UTC_TIME, stamp, len(stamp)) == 1
    assert all(lib.CMS_add1_cert(made, cert) == 1 for cert in certs[1:])
    bio = lib.BIO_new_mem_buf(data, len(data))
    assert lib.CMS_final(made, bio, None, flags) == 1
    lib.BIO_free(bio)
    out = ctypes.create_string_buffer(lib.i2d_CMS_ContentInfo(made, None))
    assert lib.i2d_CMS_ContentInfo(made, ctypes.byref(P(ctypes.addressof(out)))) == len(out)
    lib.CMS_ContentInfo_free(made)
    return out.raw


def seal(secret, nonce, aad, text):
    """AES-256-GCM; the tag stands at the end."""
    ctx, n = lib.EVP_CIPHER_CTX_new(), I()
    out, tag = ctypes.create_string_buffer(len(text) + 16), ctypes.create_string_buffer(16)
    assert lib.EVP_EncryptInit_ex(ctx, lib.EVP_aes_256_gcm(), None, None, None) == 1
    assert lib.EVP_CIPHER_CTX_ctrl(ctx, 0x9, len(nonce), None) == 1
    assert lib.EVP_EncryptInit_ex(ctx, None, None, secret, nonce) == 1
    if aad:
        assert lib.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad)) == 1
    assert lib.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), text, len(text)) == 1
    end = ctypes.create_string_buffer(16)
    assert lib.EVP_EncryptFinal_ex(ctx, end, ctypes.byref(n)) == 1
    assert lib.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 16, tag) == 1
    lib.EVP_CIPHER_CTX_free(ctx)
    return out.raw[: len(text)] + tag.raw


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def raw_ecdsa(der):
    """r and s, 32 bytes each, out of a DER signature."""
    def number(at):
        n = der[at + 1]
        return int.from_bytes(der[at + 2 : at + 2 + n], "big").to_bytes(32, "big"), at + 2 + n

    r, at = number(2)
    s, _ = number(at)
    return r + s


def token(n=8):
    return os.urandom(n).hex()
