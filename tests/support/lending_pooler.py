"""A pooler as PgBouncer is with pool_mode = transaction, reduced to what a client can notice.

    pooler = LendingPooler(socket_directory, port, server_socket, how)

listens on socket_directory/.s.PGSQL.<port> and answers each client from the server behind
`server_socket`. `how` says what the client gets to see:

    "lends"   two sessions of the server, which take turns with each transaction
    "names"   one session for as long as the client stays, under a process id of the pooler's own

No TLS, no authentication but trust, no cancel requests. Threads end with the process.
"""

import pathlib
import socket
import struct
import threading


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_message(connection):
    """One message after the startup: its type and all its bytes."""
    head = read_exactly(connection, 5)
    return head[:1], head + read_exactly(connection, struct.unpack("!I", head[1:])[0] - 4)


class LendingPooler:
    def __init__(self, directory, port, server_socket, how):
        self.server_socket = str(server_socket)
        self.how = how
        path = pathlib.Path(directory) / f".s.PGSQL.{port}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o777)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def open_session(self, startup):
        """A session of the server, and the messages that it greets with."""
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.server_socket)
        server.sendall(startup)
        greeting = []
        while not greeting or greeting[-1][0] != b"Z":
            greeting.append(read_message(server))
        return server, greeting

    def serve(self, client):
        sessions = []
        try:
            size = read_exactly(client, 4)
            startup = size + read_exactly(client, struct.unpack("!I", size)[0] - 4)
            for _ in range(2 if self.how == "lends" else 1):
                session, greeting = self.open_session(startup)
                sessions.append(session)
                if len(sessions) == 1:
                    client.sendall(b"".join(self.shown(kind, data) for kind, data in greeting))
            turn = 0
            while True:
                client_kind, data = read_message(client)
                if client_kind == b"X":
                    break
                server = sessions[turn % len(sessions)]
                server.sendall(data)
                kind = b""
                while kind != b"Z":
                    kind, data = read_message(server)
                    client.sendall(data)
                turn += 1
        except (EOFError, OSError):
            pass
        for connection in (client, *sessions):
            connection.close()

    def shown(self, kind, data):
        if kind == b"K" and self.how == "names":
            return data[:5] + struct.pack("!I", 7) + data[9:]
        return data
