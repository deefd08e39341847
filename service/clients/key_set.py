"""Public keys by their ids, read from a JSON Web Key Set or a PEM file; what cannot verify a token is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

# By the key and the algorithm: an RSA key that does not name its algorithm serves for several.
KeySet = Mapping[tuple[str, str], PyJWK]

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Mapping[str, tuple[str, ...]] = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
}
_SMALLEST_RSA_BITS = 2048
_MOST_KEYS = 100


class NoUsableKey(Exception):
    """There is no public key in what was read; the message says what is there instead."""


def read_key_set(document: Any) -> KeySet:
    """The keys of a JSON Web Key Set, or of one JSON Web Key.

    Keys without an id, for encryption, with a shared secret, with a private part or too short are left out.
    Raises `NoUsableKey`.
    """
    listed = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise NoUsableKey("not a JSON Web Key Set")
    found: dict[tuple[str, str], PyJWK] = {}
    for each in listed[:_MOST_KEYS]:
        for algorithm in _algorithms(each):
            key = _key(each, algorithm)
            if key is not None:
                found.setdefault((each["kid"], algorithm), key)
    if not found:
        raise NoUsableKey("no public key with an id (kid) that can verify a signature")
    return found


def read_key_file(content: bytes, key_id: str | None) -> KeySet:
    """The keys of a file: a JSON Web Key Set, or a public key as PEM, which goes by `key_id`.

    Raises `NoUsableKey`.
    """
    if content.lstrip().startswith(b"{"):
        try:
            return read_key_set(orjson.loads(content))
        except orjson.JSONDecodeError:
            raise NoUsableKey("not JSON") from None
    if key_id is None:
        raise NoUsableKey("a PEM file needs key_id, the kid that tokens name")
    try:
        public = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise NoUsableKey("neither a JSON Web Key Set nor a public key as PEM") from None
    if isinstance(public, RSAPublicKey):
        key = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, EllipticCurvePublicKey):
        key = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        raise NoUsableKey("a PEM file must hold an RSA key or one of an elliptic curve")
    # What PyJWT writes of a public key allows verifying alone.
    return read_key_set({**key, "kid": key_id})


def _algorithms(key: Any) -> tuple[str, ...]:
    """The algorithms that a key may verify; none if it is no public key for signatures."""
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str) or not key["kid"]:
        return ()
    operations = key.get("key_ops", ["verify"])
    if "d" in key or key.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return ()
    curve = key.get("crv")
    able: tuple[str, ...]
    if key.get("kty") == "RSA":
        able = _RSA
    elif key.get("kty") in ("EC", "OKP") and isinstance(curve, str):
        able = _CURVES.get(curve, ())
    else:
        return ()
    return tuple(each for each in able if key.get("alg", each) == each)


def _key(key: dict[str, Any], algorithm: str) -> PyJWK | None:
    try:
        made = PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    if isinstance(made.key, RSAPublicKey) and made.key.key_size < _SMALLEST_RSA_BITS:
        return None
    return made
