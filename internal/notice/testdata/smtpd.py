"""A real SMTP server for the tests, on loopback: it prints its port, then each mail that it takes, as a line of JSON."""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def main(mode, cert, exclude):
    say = lambda **line: print(json.dumps(line), flush=True)

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("nobody@"):
                return "550 5.1.1 nobody of that name"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            say(sender=envelope.mail_from, to=envelope.rcpt_tos, tls=bool(session.ssl) or mode == "implicit", user=session.auth_data and session.auth_data.login.decode(),
                how=getattr(session, "mechanism", None), mail=envelope.content.decode("utf-8"))
            return "250 2.0.0 taken"

    def authenticate(server, session, envelope, mechanism, data):
        ok = data.login == b"holdfast" and data.password == b"p4ss w\xc3\xb6rd"
        session.mechanism = mechanism
        if not ok:
            return AuthResult(success=False, handled=False, message="535 5.7.8 not with " + data.password.decode())
        return AuthResult(success=True, auth_data=data)

    tls = None
    if cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert)

    def session():
        return SMTP(Handler(), hostname="localhost", enable_SMTPUTF8=True, tls_context=tls if mode == "starttls" else None, require_starttls=mode == "starttls",
                    auth_required=mode != "none", auth_require_tls=mode == "starttls", authenticator=authenticate, auth_exclude_mechanism=[exclude] if exclude else None)

    async def serve():
        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls if mode == "implicit" else None)
        say(port=server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


main(*sys.argv[1:])
