# A staged Space for those who host it themselves:
#   neuroguard space push OWNER/SPACE --model OWNER/NAME@REVISION --out staged
#   docker build --file Dockerfile --tag neuroguard staged
#   docker run --publish 7860:7860 --env NEUROGUARD_TOKEN neuroguard
# The revision is fetched and verified when the container starts; a volume at /cache keeps it.
FROM python:3.11-slim

RUN useradd --uid 1000 --no-create-home space \
    && install --directory --owner space /app /cache
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY . .

ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_TEMP_DIR=/tmp/uploads \
    HF_HOME=/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/readyz')"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
