"""Tests of pytest, which Locust runs as user classes."""

import time


def visit(session):
    session.get("/figures")


def test_shop(session):
    session.get("/hello").raise_for_status()
    with session.get("/world", catch_response=True) as answer:
        if not answer.text:
            answer.failure("nothing was said")
    answer.raise_for_status()
    visit(session)
    time.sleep(0.1)


def test_broken(fastsession):
    time.sleep(0.1)
    fastsession.get("/status/503").raise_for_status()
    fastsession.get("/ping", name="never")
