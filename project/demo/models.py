"""The demo's tables."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class BreakingNews(models.Model):
    title = models.CharField(max_length=200)
    published = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-published", "-pk"]

    def __str__(self) -> str:
        return self.title


class ChatMessage(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.CharField(max_length=500)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return self.text
