"""An SMTP server on a free port: prints the port, then every mail that it took as a line of JSON.

smtp_server.py                       plain text, no login
smtp_server.py CERTIFICATE KEY       STARTTLS and a login are demanded
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Mailbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "private": session.ssl is not None,
            "login": session.authenticated,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    # Not handled: the server itself answers.
    return AuthResult(success=(data.login, data.password) == (b"vvtv", b"s3cret-w0rd"), handled=False)


def connection(context):
    if context is None:
        return SMTP(Mailbox())
    return SMTP(Mailbox(), tls_context=context, require_starttls=True, auth_required=True, authenticator=login)


async def main():
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.get_running_loop().create_server(lambda: connection(context), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
